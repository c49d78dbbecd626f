// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

const scope = "github.com/otelplat/platform/coord/mirror"

// telemetry is what a mirror says of itself, through the global providers.
type telemetry struct {
	prefix  metric.MeasurementOption
	relists metric.Int64Counter
	rejects metric.Int64Counter
	name    string
}

func newTelemetry(prefix string) telemetry {
	meter := otel.Meter(scope)
	return telemetry{
		prefix:  metric.WithAttributes(attribute.String(semconv.MirrorPrefix, prefix)),
		relists: counter(meter, semconv.MirrorRelists, "{relist}", "Times that a mirror listed its prefix again after its watch ended"),
		rejects: counter(meter, semconv.MirrorRejects, "{value}", "Values that did not decode and were kept out"),
		name:    prefix,
	}
}

// counter returns an instrument that works even if the name were refused: a
// mirror does not fail for its telemetry.
func counter(m metric.Meter, name, unit, description string) metric.Int64Counter {
	c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
	if err != nil {
		otel.Handle(err)
		return noop.Int64Counter{}
	}
	return c
}

func (t *telemetry) relisted(reason error) {
	ctx := context.Background()
	t.relists.Add(ctx, 1, t.prefix)
	t.event(ctx, semconv.EventMirrorRelist, log.SeverityInfo, attribute.String("error.message", reason.Error()))
}

func (t *telemetry) rejected(key string, err error) {
	ctx := context.Background()
	t.rejects.Add(ctx, 1, t.prefix)
	t.event(ctx, semconv.EventMirrorReject, log.SeverityWarn,
		attribute.String(semconv.MirrorKey, key), attribute.String("error.message", err.Error()))
}

// unsaved tells that a saved state could not be read or written.
func (t *telemetry) unsaved(err error) {
	t.event(context.Background(), semconv.EventMirrorUnsaved, log.SeverityWarn, attribute.String("error.message", err.Error()))
}

func (t *telemetry) newEpoch(from, to string) {
	t.event(context.Background(), semconv.EventMirrorEpoch, log.SeverityWarn,
		attribute.String(semconv.MirrorEpochFrom, from), attribute.String(semconv.MirrorEpochTo, to))
}

func (t *telemetry) event(ctx context.Context, name string, severity log.Severity, attrs ...attribute.KeyValue) {
	var r log.Record
	r.SetEventName(name)
	r.SetSeverity(severity)
	r.AddAttributes(attribute.String(semconv.MirrorPrefix, t.name))
	r.AddAttributes(attrs...)
	otel.GetLoggerProvider().Logger(scope).Emit(ctx, r)
}
