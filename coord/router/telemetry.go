// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"maps"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// telemetry is what a router tells: its measurements to the signal meter, its
// decisions as events to the global provider.
type telemetry struct {
	duration  metric.Float64Histogram
	ejections metric.Int64Counter
	skipped   metric.Int64Counter
	refused   metric.Int64Counter
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
	if t.skipped, err = meter.Int64Counter(semconv.RouteProbesSkipped, metric.WithUnit("{probe}"),
		metric.WithDescription("Times that an instance was not asked for its load because too many questions were on their way")); err != nil {
		otel.Handle(err)
		t.skipped = noop.Int64Counter{}
	}
	if t.refused, err = meter.Int64Counter(semconv.RouteRefused, metric.WithUnit("{request}"),
		metric.WithDescription("Requests that a breaker did not let through")); err != nil {
		otel.Handle(err)
		t.refused = noop.Int64Counter{}
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
	balance.Outlasted: semconv.OutcomeCancelled, // by this router
}

// recorders are the attribute sets of an instance's measurements, by route, variant and
// outcome, so that recording an attempt makes none.
type recorders struct {
	sets atomic.Pointer[map[place]*outcomeSets] // copied on write
}

// place is where a routing document put a request.
type place struct{ route, variant string }

type outcomeSets [balance.Outcomes][]metric.RecordOption

// maxPlaces bounds the places of one instance: routes by variants of one document. What is
// beyond is recorded without either.
const maxPlaces = 256

func (r *recorders) of(t *target, p place) *outcomeSets {
	old := r.sets.Load()
	if old != nil {
		if sets := (*old)[p]; sets != nil {
			return sets
		}
		if len(*old) >= maxPlaces {
			p = place{}
			if sets := (*old)[p]; sets != nil {
				return sets
			}
		}
	}
	sets := newOutcomeSets(t, p)
	next := map[place]*outcomeSets{p: sets}
	if old != nil {
		maps.Copy(next, *old)
		next[p] = sets
	}
	r.sets.CompareAndSwap(old, &next) // who loses makes them again next time
	return sets
}

func newOutcomeSets(t *target, p place) *outcomeSets {
	var sets outcomeSets
	for o, name := range outcomes {
		all := append(t.attrs[:len(t.attrs):len(t.attrs)], attribute.String(semconv.RouteOutcome, name))
		if p.route != "" {
			all = append(all, attribute.String(semconv.RouteRoute, p.route))
		}
		if p.variant != "" {
			all = append(all, attribute.String(semconv.RouteVariant, p.variant)) // the last of equal keys counts
		}
		sets[o] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(all...))}
	}
	return &sets
}

// attempt records how one attempt ended. The request's context is not passed on: a
// cancelled one must be recorded too.
func (t *telemetry) attempt(to *target, d *rules.Decision, took time.Duration, outcome balance.Outcome) {
	sets := to.recorders.of(to, place{d.Route, d.Variant})
	t.duration.Record(context.Background(), took.Seconds(), sets[outcome]...)
}

// refusedAttrs are the attributes of requests that a breaker did not let through.
func (s *service) refusedAttrs(route string) metric.AddOption {
	attrs := []attribute.KeyValue{attribute.String(semconv.RouteService, s.name)}
	if route != "" {
		attrs = append(attrs, attribute.String(semconv.RouteRoute, route))
	}
	return metric.WithAttributes(attrs...)
}

// probesSkipped counts a question that was not asked because too many are on their way.
func (t *telemetry) probesSkipped() { t.skipped.Add(context.Background(), 1) }

// annotate tells the caller's span where its request goes.
func annotate(ctx context.Context, d *rules.Decision, t *target) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(t.attrs...)
	if d.Route != "" {
		span.SetAttributes(attribute.String(semconv.RouteRoute, d.Route))
	}
	if d.Variant != "" {
		span.SetAttributes(attribute.String(semconv.RouteVariant, d.Variant))
	}
}

// decided tells a decision of the service's pool, and in ten seconds what it came to.
func (s *service) decided(e balance.Event) {
	a := acts.Act{
		Event: semconv.EventRouteEject, Observed: e.Kind == balance.WouldLeave, Service: s.name,
		Callers: e.Callers, BadCallers: e.BadCallers, Instances: e.Instances, Rotation: e.Rotation,
	}
	switch e.Kind {
	case balance.Panicked:
		a.Event = semconv.EventRoutePanic
	case balance.Returned:
		a.Event = semconv.EventRouteReadmit
	}
	if e.Node != nil {
		t := targetOf(e.Node)
		a.Instance, a.Variant, a.Zone, a.Rule = t.member.ID, t.member.Variant(), t.member.Zone, string(e.Reason)
		if e.Kind == balance.Left && e.Local {
			attrs := append(t.attrs[:len(t.attrs):len(t.attrs)], attribute.String(semconv.RouteReason, a.Rule))
			s.router.tel.ejections.Add(context.Background(), 1, metric.WithAttributes(attrs...))
		}
	}
	if e.Local && e.Kind != balance.Returned {
		a.Hold, a.Episode = e.Hold, int(e.Episode)
	}
	for _, f := range e.Figures {
		a.Figures = append(a.Figures, acts.Figure(f))
	}
	s.acted(&a)
}
