// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"context"
	"fmt"
	"strings"

	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/catalog"
	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
)

const loggerName = "github.com/otelplat/platform/collector-components/catalogprocessor"

// What the catalogue says of a resource.
const (
	knownService = iota
	unknown
	unnamed
	notLoaded
	outcomes // how many
)

var outcomeNames = [outcomes]string{"known", "unknown", "unnamed", "not_loaded"}

type telemetry struct {
	builder   *metadata.TelemetryBuilder
	byOutcome [outcomes]metric.AddOption
	signal    metric.AddOption
}

func newTelemetry(set component.TelemetrySettings, signal string) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, fmt.Errorf("otelplat_catalog: %w", err)
	}
	of := attribute.String(semconv.CollectorSignal, signal)
	t := &telemetry{builder: builder, signal: metric.WithAttributeSet(attribute.NewSet(of))}
	for i, name := range outcomeNames {
		t.byOutcome[i] = metric.WithAttributeSet(attribute.NewSet(of, attribute.String("outcome", name)))
	}
	return t, nil
}

// end counts what the batch's resources were.
func (b *batch) end() {
	for i, n := range b.outcomes {
		if n > 0 {
			b.tel.builder.ProcessorCatalogResources.Add(b.ctx, n, b.tel.byOutcome[i])
		}
	}
	if b.misses > 0 {
		b.tel.builder.ProcessorCatalogInstanceMisses.Add(b.ctx, b.misses, b.tel.signal)
	}
	if b.suppressed > 0 {
		b.tel.builder.ProcessorCatalogSuppressed.Add(b.ctx, b.suppressed, b.tel.signal)
	}
}

// stranger tells of an unknown service, the first time that there is room to.
func (b *batch) stranger(name string) {
	c := b.catalogue
	switch {
	case c.strangers.Told(name):
	case c.strangers.Full() || !c.limit.Allow():
		b.suppressed++
	case c.strangers.Add(name):
		var r log.Record
		r.SetEventName(semconv.EventCatalogUnknown)
		r.SetSeverity(log.SeverityWarn)
		r.AddAttributes(attribute.String(semconv.CatalogService, clip(name)))
		otel.GetLoggerProvider().Logger(loggerName).Emit(context.WithoutCancel(b.ctx), r)
	}
}

// clip bounds a name that somebody sent.
func clip(name string) string {
	return strings.ToValidUTF8(strings.Clone(name[:min(len(name), catalog.MaxStranger)]), "")
}
