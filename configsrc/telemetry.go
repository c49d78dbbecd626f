// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"context"
	"errors"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

const scope = "github.com/otelplat/platform/configsrc"

// telemetry reports changes through the global providers.
type telemetry struct{ changes metric.Int64Counter }

func newTelemetry() telemetry {
	c, err := otel.Meter(scope).Int64Counter(semconv.ConfigChanges, metric.WithUnit("{change}"),
		metric.WithDescription("Configurations that were applied or refused"))
	if err != nil {
		otel.Handle(err)
		c = noop.Int64Counter{}
	}
	return telemetry{c}
}

func (t telemetry) applied(revision int64) {
	t.count("applied")
	emit(semconv.EventConfigApply, log.SeverityInfo, attribute.Int64(semconv.ConfigRevision, revision))
}

func (t telemetry) refused(err error) {
	t.count("refused")
	attrs := []attribute.KeyValue{attribute.String("error.message", err.Error())}
	var e *Error
	if errors.As(err, &e) {
		attrs = append(attrs, attribute.String(semconv.ConfigSource, e.Source), attribute.String(semconv.ConfigField, e.Field))
	}
	emit(semconv.EventConfigRefuse, log.SeverityWarn, attrs...)
}

func (t telemetry) count(outcome string) {
	t.changes.Add(context.Background(), 1, metric.WithAttributes(attribute.String(semconv.ConfigOutcome, outcome)))
}

func emit(name string, severity log.Severity, attrs ...attribute.KeyValue) {
	var r log.Record
	r.SetEventName(name)
	r.SetSeverity(severity)
	r.AddAttributes(attrs...)
	otel.GetLoggerProvider().Logger(scope).Emit(context.Background(), r)
}
