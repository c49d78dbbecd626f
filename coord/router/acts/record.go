// SPDX-License-Identifier: Apache-2.0

package acts

import (
	"crypto/rand"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

// NewID returns an id for an act or for the event of its effect.
func NewID() string { return rand.Text() }

// Record returns the event that tells of the act.
func (a *Act) Record() log.Record {
	r := newRecord(a.Event, severityOf(a.Event), a.ID, a.At)
	if a.Observed {
		r.SetEventName(semconv.EventRouteWould)
		r.AddAttributes(attribute.String(semconv.RouteAct, a.Event))
	}
	if a.Why != "" {
		r.SetBody(attribute.StringValue(a.Why))
	}
	r.AddAttributes(a.about()...)
	if a.Hold > 0 {
		r.AddAttributes(attribute.Float64(semconv.RouteHold, a.Hold.Seconds()))
	}
	if a.Episode > 0 {
		r.AddAttributes(attribute.Int(semconv.RouteEpisode, a.Episode))
	}
	for _, f := range a.Figures {
		r.AddAttributes(
			attribute.Float64(semconv.RouteFigure+"."+f.Name, f.Value),
			attribute.Float64(semconv.RouteThreshold+"."+f.Name, f.Threshold))
	}
	if a.Callers > 0 || a.breaker() {
		r.AddAttributes(attribute.Int(semconv.RouteCallers, a.Callers), attribute.Int(semconv.RouteBadCallers, a.BadCallers))
	}
	if !a.breaker() {
		r.AddAttributes(attribute.Int(semconv.RouteInstances, a.Instances), attribute.Int(semconv.RouteRotation, a.Rotation))
	}
	return r
}

// EffectRecord returns the event, of an id of its own, that tells of the act's effect, which
// must be known by then.
func (a *Act) EffectRecord(id string, now time.Time) log.Record {
	r := newRecord(semconv.EventRouteEffect, log.SeverityInfo, id, now)
	r.AddAttributes(a.about()...)
	e := a.Effect
	r.AddAttributes(
		attribute.String(semconv.RouteAct, a.Event),
		attribute.String(semconv.RouteActID, a.ID),
		attribute.Float64(semconv.RouteErrorsBefore, e.ErrorsBefore),
		attribute.Float64(semconv.RouteErrorsAfter, e.ErrorsAfter),
		attribute.Float64(semconv.RouteP99Before, e.P99Before.Seconds()),
		attribute.Float64(semconv.RouteP99After, e.P99After.Seconds()),
		attribute.Int64(semconv.RouteRequestsBefore, int64(e.RequestsBefore)), //nolint:gosec // far below 2^63
		attribute.Int64(semconv.RouteRequestsAfter, int64(e.RequestsAfter)),   //nolint:gosec // far below 2^63
	)
	return r
}

func newRecord(name string, severity log.Severity, id string, at time.Time) (r log.Record) {
	r.SetEventName(name)
	r.SetSeverity(severity)
	r.SetTimestamp(at)
	r.AddAttributes(attribute.String(semconv.LogRecordUID, id))
	return r
}

func severityOf(event string) log.Severity {
	switch event {
	case semconv.EventRoutePanic, semconv.EventRouteOpen:
		return log.SeverityError
	case semconv.EventRouteEject, semconv.EventRouteHalfOpen:
		return log.SeverityWarn
	}
	return log.SeverityInfo
}

// about are the attributes of what it was done to, and by which rule.
func (a *Act) about() []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String(semconv.RouteService, a.Service)}
	for _, t := range [...]struct{ key, value string }{
		{semconv.RouteInstance, a.Instance}, {semconv.RouteVariant, a.Variant}, {semconv.RouteZone, a.Zone},
		{semconv.RouteRoute, a.Route}, {semconv.RouteReason, a.Rule},
	} {
		if t.value != "" {
			attrs = append(attrs, attribute.String(t.key, t.value))
		}
	}
	return attrs
}
