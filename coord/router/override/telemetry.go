// SPDX-License-Identifier: Apache-2.0

package override

import (
	"context"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

const scope = "github.com/otelplat/platform/coord/router/override"

// How an override ended, as far as its reader knows.
const (
	endedInEtcd  = "cleared, replaced or expired"
	endedByClock = "expired by this process's clock, for etcd does not answer"
)

// tellBegin tells that this process heeds an override.
func tellBegin(o *Override) { tell(semconv.EventRouteOverride, log.SeverityWarn, o, o.Reason) }

// tellEnd tells that it does so no more.
func tellEnd(o *Override, why string) { tell(semconv.EventRouteRelease, log.SeverityInfo, o, why) }

func tell(event string, severity log.Severity, o *Override, reason string) {
	var r log.Record
	r.SetEventName(event)
	r.SetSeverity(severity)
	r.AddAttributes(
		attribute.String(semconv.RouteService, o.Service),
		attribute.String(semconv.RouteOverrideTarget, o.Target()),
		attribute.String(semconv.RouteOverrideState, string(o.State)),
		attribute.String(semconv.RouteOverrideBy, o.By),
		attribute.String(semconv.RouteReason, reason),
		attribute.Float64(semconv.RouteOverrideFor, o.For.Seconds()),
	)
	otel.GetLoggerProvider().Logger(scope).Emit(context.Background(), r)
}
