// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/otelplat/platform/coord/db"

// buckets are those that the semantic conventions give for the histogram.
var buckets = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}

// telemetry is what a database tells of its calls, through the global providers:
// a client span for each, and db.client.operation.duration.
type telemetry struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	system   attribute.KeyValue
}

func newTelemetry(system string) telemetry {
	instrument := dbconv.ClientOperationDuration{}
	h, err := otel.Meter(scope).Float64Histogram(instrument.Name(), metric.WithUnit(instrument.Unit()),
		metric.WithDescription(instrument.Description()), metric.WithExplicitBucketBoundaries(buckets...))
	if err != nil { // a database does not fail for its telemetry
		otel.Handle(err)
		h = noop.Float64Histogram{}
	}
	return telemetry{tracer: otel.Tracer(scope), duration: h, system: semconv.DBSystemNameKey.String(system)}
}

// call is one kind of call, with what its spans and measurements have in common,
// so that the good case makes no attributes.
type call struct {
	*telemetry
	name  string
	attrs []attribute.KeyValue
	start trace.SpanStartEventOption
	good  metric.MeasurementOption
}

func (t *telemetry) call(operation, collection string) *call {
	c := &call{telemetry: t, name: operation, attrs: []attribute.KeyValue{t.system, semconv.DBOperationName(operation)}}
	if collection != "" {
		c.name += " " + collection
		c.attrs = append(c.attrs, semconv.DBCollectionName(collection))
	}
	c.start = trace.WithAttributes(c.attrs...)
	c.good = metric.WithAttributeSet(attribute.NewSet(c.attrs...))
	return c
}

// begin starts the span of a call. The function that it returns ends it.
func (c *call) begin(ctx context.Context) (context.Context, func(error)) {
	began := time.Now()
	ctx, span := c.tracer.Start(ctx, c.name, trace.WithSpanKind(trace.SpanKindClient), c.start)
	return ctx, func(err error) {
		// A cancelled call is measured too.
		ctx := context.WithoutCancel(ctx)
		if err == nil {
			c.duration.Record(ctx, time.Since(began).Seconds(), c.good)
			span.End()
			return
		}
		kind := semconv.ErrorTypeKey.String(errorType(err))
		c.duration.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(append(c.attrs[:len(c.attrs):len(c.attrs)], kind)...))
		span.SetAttributes(kind)
		// A record that is not there or has another version is an answer that a
		// caller asks for; the span is not one of a failure.
		var conflict *ConflictError
		if !errors.Is(err, ErrNotFound) && !errors.As(err, &conflict) {
			span.RecordError(err)
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// errorType names an error for error.type: a few values that do not grow.
func errorType(err error) string {
	var (
		conflict *ConflictError
		input    *InputError
		decode   *DecodeError
	)
	switch {
	case errors.As(err, &conflict):
		return "conflict"
	case errors.As(err, &input):
		return "input"
	case errors.As(err, &decode):
		return "decode"
	}
	for _, known := range []struct {
		err  error
		name string
	}{
		{ErrNotFound, "not_found"}, {ErrClosed, "closed"}, {ErrUncertain, "uncertain"}, {ErrBusy, "busy"}, {ErrFull, "full"},
		{ErrCorrupt, "corrupt"}, {context.Canceled, "cancelled"}, {context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return semconv.ErrorTypeOther.Value.AsString()
}
