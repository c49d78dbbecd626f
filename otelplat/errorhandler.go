// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
)

// errorInterval is how often the SDK's errors are reported: a collector that is
// away fails every export of every signal.
const errorInterval = time.Minute

// errorHandler reports one error an interval, with how many there were since the
// last.
type errorHandler struct {
	log *slog.Logger

	mu       sync.Mutex
	last     time.Time
	silenced int
}

func newErrorHandler(log *slog.Logger) otel.ErrorHandler { return &errorHandler{log: log} }

func (h *errorHandler) Handle(err error) {
	h.mu.Lock()
	now := time.Now()
	if !h.last.IsZero() && now.Sub(h.last) < errorInterval {
		h.silenced++
		h.mu.Unlock()
		return
	}
	silenced := h.silenced
	h.last, h.silenced = now, 0
	h.mu.Unlock()
	h.log.Warn("otelplat: telemetry was not exported", "error", err, "more_since_last_report", silenced)
}
