// SPDX-License-Identifier: Apache-2.0

package rules

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

const scope = "github.com/otelplat/platform/coord/router/rules"

// telemetry tells of documents through the global providers, in the words of live
// configuration.
type telemetry struct{ changes metric.Int64Counter }

// newTelemetry makes an instrument that works even if it were refused.
func newTelemetry() telemetry {
	c, err := otel.Meter(scope).Int64Counter(semconv.ConfigChanges, metric.WithUnit("{change}"),
		metric.WithDescription("Configurations that were applied or refused"))
	if err != nil {
		otel.Handle(err)
		c = noop.Int64Counter{}
	}
	return telemetry{c}
}

// applied tells of a document in force; revision 0 is none, the defaults.
func (t telemetry) applied(service string, revision int64) {
	t.emit("applied", semconv.EventConfigApply, log.SeverityInfo, service, revision)
}

func (t telemetry) refused(service string, revision int64, err error) {
	attrs := []attribute.KeyValue{attribute.String("error.message", err.Error())}
	if e, ok := errors.AsType[*Error](err); ok {
		attrs = append(attrs, attribute.String(semconv.ConfigField, e.Field))
	}
	t.emit("refused", semconv.EventConfigRefuse, log.SeverityWarn, service, revision, attrs...)
}

func (t telemetry) emit(outcome, event string, severity log.Severity, service string, revision int64, attrs ...attribute.KeyValue) {
	ctx := context.Background()
	t.changes.Add(ctx, 1, metric.WithAttributes(attribute.String(semconv.ConfigOutcome, outcome)))
	var r log.Record
	r.SetEventName(event)
	r.SetSeverity(severity)
	r.AddAttributes(attribute.String(semconv.VersionedDocument, DocumentName(service)), attribute.Int64(semconv.ConfigRevision, revision))
	r.AddAttributes(attrs...)
	otel.GetLoggerProvider().Logger(scope).Emit(ctx, r)
}
