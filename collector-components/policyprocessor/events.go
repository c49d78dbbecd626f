// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"golang.org/x/time/rate"
)

// Decision events tell of a batch what each rule did to it, with the numbers and never
// with a value of the items. Most batches say what the one before said: of all, some a
// second are told, and the counters have the rest.
const (
	eventsPerSecond = 10
	eventsAtOnce    = 20
)

const scopeName = "github.com/otelplat/platform/collector-components/policyprocessor"

// events tells decisions, bounded.
type events struct{ limit *rate.Limiter }

func newEvents() *events { return &events{rate.NewLimiter(eventsPerSecond, eventsAtOnce)} }

// tell emits an event for what each rule did to a batch.
func (e *events) tell(ctx context.Context, r *report, t *telemetry) {
	for a, n := range r.acts {
		if a.kind == keep && a.reason == reasonRule {
			continue // nothing happened to these
		}
		e.emit(ctx, t, semconv.TelemetryGovern,
			attribute.String(semconv.TelemetryAction, actions[a.kind]), attribute.String(semconv.TelemetryRule, t.name(a.rule)),
			attribute.String(semconv.TelemetryReason, a.reason), attribute.Int64(semconv.TelemetryItems, n))
	}
}

func (e *events) emit(ctx context.Context, t *telemetry, name string, attributes ...attribute.KeyValue) {
	if !e.limit.Allow() {
		t.ProcessorPolicySuppressedEvents.Add(ctx, 1)
		return
	}
	var r log.Record
	r.SetEventName(name)
	r.SetSeverity(log.SeverityInfo)
	r.AddAttributes(attribute.String(semconv.TelemetrySignal, t.signal))
	r.AddAttributes(attributes...)
	otel.GetLoggerProvider().Logger(scopeName).Emit(ctx, r)
}
