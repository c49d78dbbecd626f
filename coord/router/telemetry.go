// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// telemetry is what a router tells: its measurements to the signal meter, its
// decisions as events to the global provider.
type telemetry struct {
	duration  metric.Float64Histogram
	ejections metric.Int64Counter
}

// newTelemetry makes instruments that work even if one were refused: a router does
// not fail for its telemetry.
func newTelemetry(provider metric.MeterProvider) telemetry {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	meter := provider.Meter(semconv.RouteScope)
	t := telemetry{}
	var err error
	if t.duration, err = meter.Float64Histogram(semconv.RouteDuration, metric.WithUnit("s"),
		metric.WithDescription("Time that an attempt took, to the end of the response")); err != nil {
		otel.Handle(err)
		t.duration = noop.Float64Histogram{}
	}
	if t.ejections, err = meter.Int64Counter(semconv.RouteEjections, metric.WithUnit("{ejection}"),
		metric.WithDescription("Times that this router took an instance out of rotation on its own evidence")); err != nil {
		otel.Handle(err)
		t.ejections = noop.Int64Counter{}
	}
	return t
}

// outcomes are the names of balance's outcomes.
var outcomes = [balance.Outcomes]string{
	balance.OK:        semconv.OutcomeOK,
	balance.Error:     semconv.OutcomeError,
	balance.Timeout:   semconv.OutcomeTimeout,
	balance.Refused:   semconv.OutcomeRefused,
	balance.Cancelled: semconv.OutcomeCancelled,
}

// recordOptions returns the attribute sets of each outcome, so that recording an
// attempt makes none.
func recordOptions(attrs []attribute.KeyValue) (options [balance.Outcomes][]metric.RecordOption) {
	for o, name := range outcomes {
		all := append(attrs[:len(attrs):len(attrs)], attribute.String(semconv.RouteOutcome, name))
		options[o] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(all...))}
	}
	return options
}

// attempt records how one attempt ended. The request's context is not passed on: a
// cancelled one must be recorded too.
func (t *telemetry) attempt(to *target, took time.Duration, outcome balance.Outcome) {
	t.duration.Record(context.Background(), took.Seconds(), to.record[outcome]...)
}

// decided tells a decision of a service's pool.
func (t *telemetry) decided(service string, e balance.Event) {
	ctx := context.Background()
	var r log.Record
	if e.Kind == balance.Panicked {
		r.SetEventName(semconv.EventRoutePanic)
		r.SetSeverity(log.SeverityError)
		r.AddAttributes(attribute.String(semconv.RouteService, service))
	} else {
		r.SetEventName(semconv.EventRouteEject)
		r.SetSeverity(log.SeverityWarn)
		r.AddAttributes(targetOf(e.Node).attrs...)
		r.AddAttributes(attribute.String(semconv.RouteReason, string(e.Reason)))
	}
	switch {
	case e.Kind == balance.Returned:
		r.SetEventName(semconv.EventRouteReadmit)
		r.SetSeverity(log.SeverityInfo)
	case e.Kind == balance.Left && e.Local:
		r.AddAttributes(attribute.Float64(semconv.RouteHold, e.Hold.Seconds()), attribute.Int(semconv.RouteEpisode, int(e.Episode)))
		attrs := targetOf(e.Node).attrs
		t.ejections.Add(ctx, 1, metric.WithAttributes(append(attrs[:len(attrs):len(attrs)],
			attribute.String(semconv.RouteReason, string(e.Reason)))...))
	}
	r.AddAttributes(attribute.Int(semconv.RouteInstances, e.Instances), attribute.Int(semconv.RouteRotation, e.Rotation))
	otel.GetLoggerProvider().Logger(semconv.RouteScope).Emit(ctx, r)
}
