// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"net/http"

	"github.com/otelplat/platform/internal/loadreport"
)

// SetLoad changes what a telemetry's servers read, before the first is instrumented.
func SetLoad(t *Telemetry, opts ...loadreport.Option) { t.server.options = opts }

// Counted counts a handler's requests and reports the load, and does nothing else.
func Counted(t *Telemetry, h http.Handler) http.Handler { return t.server.http(h) }
