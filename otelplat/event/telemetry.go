// SPDX-License-Identifier: Apache-2.0

package event

import (
	"context"
	"errors"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/otelplat/platform/otelplat/event"

// How a publish ended.
const (
	outcomeStored    = "stored"
	outcomeRefused   = "refused"
	outcomeUncertain = "uncertain"
)

// How a delivery ended.
const (
	outcomeDone      = "done"
	outcomeRetried   = "retried"
	outcomeDead      = "dead"
	outcomeUnsettled = "unsettled" // the bus could not be told; the event comes again
)

// w3c carries a trace in an event's extensions, as CloudEvents' distributed
// tracing extension says.
var w3c propagation.TraceContext

// Traced returns the event with the context's trace in its extensions, unless it
// carries one. A bus calls it.
func (e Event) Traced(ctx context.Context) Event {
	if _, has := e.Extensions["traceparent"]; has || !trace.SpanContextFromContext(ctx).IsValid() {
		return e
	}
	e = e.clone()
	if e.Extensions == nil {
		e.Extensions = make(map[string]string, 2)
	}
	w3c.Inject(ctx, propagation.MapCarrier(e.Extensions))
	return e
}

// StartPublish begins the span of a publish; end it with the error. A bus calls it.
func StartPublish(ctx context.Context, e *Event) (context.Context, func(error)) {
	ctx, span := otel.Tracer(scope).Start(ctx, "send "+e.Type, trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			attribute.String("messaging.operation.type", "send"),
			attribute.String("messaging.destination.name", e.Type),
			attribute.String("messaging.message.id", e.ID),
		))
	return ctx, func(err error) {
		counted(ctx, semconv.EventPublishes, "Events that were published, by outcome",
			attribute.String(semconv.EventOutcome, publishOutcome(err)))
		failed(span, err)
		span.End()
	}
}

// startProcess begins the span of a delivery, a child of the publisher's.
func startProcess(ctx context.Context, subscription string, d *Delivery) (context.Context, trace.Span) {
	ctx = w3c.Extract(ctx, propagation.MapCarrier(d.Extensions))
	return otel.Tracer(scope).Start(ctx, "process "+d.Type, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.destination.name", d.Type),
			attribute.String("messaging.message.id", d.ID),
			attribute.String("messaging.consumer.group.name", subscription),
		))
}

func failed(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetAttributes(attribute.String("error.type", "event"))
		span.SetStatus(codes.Error, err.Error())
	}
}

// counted adds one to a counter of the global meter provider, which keeps the
// instrument.
func counted(ctx context.Context, name, description string, attrs ...attribute.KeyValue) {
	unit := "{event}"
	if name == semconv.EventDeliveries {
		unit = "{delivery}"
	}
	c, err := otel.Meter(scope).Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
	if err != nil {
		otel.Handle(err)
		c = noop.Int64Counter{}
	}
	c.Add(ctx, 1, metric.WithAttributes(attrs...))
}

// leftBehind counts handlers that did not return in time.
func leftBehind(subscription string, n int64) {
	c, err := otel.Meter(scope).Int64UpDownCounter(semconv.EventLeftBehind, metric.WithUnit("{handler}"),
		metric.WithDescription("Handlers that still run after their time"))
	if err != nil {
		otel.Handle(err)
		return
	}
	c.Add(context.Background(), n, metric.WithAttributes(attribute.String(semconv.EventSubscription, subscription)))
}

// buried tells of an event that went to the dead letters.
func buried(ctx context.Context, subscription string, d *Delivery, reason string) {
	var r log.Record
	r.SetEventName(semconv.EventEventDead)
	r.SetSeverity(log.SeverityError)
	r.AddAttributes(
		attribute.String(semconv.EventSubscription, subscription),
		attribute.String(semconv.CloudEventID, d.ID),
		attribute.String(semconv.CloudEventSource, d.Source),
		attribute.String(semconv.CloudEventType, d.Type),
		attribute.Int(semconv.EventAttempts, d.Attempt),
		attribute.String("error.message", reason),
	)
	otel.GetLoggerProvider().Logger(scope).Emit(ctx, r)
}

func publishOutcome(err error) string {
	switch {
	case err == nil:
		return outcomeStored
	case errors.Is(err, ErrUncertain):
		return outcomeUncertain
	}
	return outcomeRefused
}
