// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"context"
	"testing"

	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/metadata"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
)

// enrich sends one resource of a signal through the processor, and returns how it came out.
type enrich func(attributes map[string]any) map[string]any

var signals = map[string]func(t testing.TB, set component.TelemetrySettings, cfg *Config) enrich{
	"traces": tracesThrough, "metrics": metricsThrough, "logs": logsThrough,
}

func settings(tel component.TelemetrySettings) processor.Settings {
	set := processortest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	set.TelemetrySettings = tel
	return set
}

func started(t testing.TB, c component.Component, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Shutdown(context.Background()) })
}

func tracesThrough(t testing.TB, set component.TelemetrySettings, cfg *Config) enrich {
	sink := new(consumertest.TracesSink)
	p, err := NewFactory().CreateTraces(t.Context(), settings(set), cfg, sink)
	started(t, p, err)
	return func(attributes map[string]any) map[string]any {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		if err := rs.Resource().Attributes().FromRaw(attributes); err != nil {
			t.Fatal(err)
		}
		rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		sink.Reset()
		if err := p.ConsumeTraces(t.Context(), td); err != nil {
			t.Fatal(err)
		}
		if sink.SpanCount() != 1 {
			t.Errorf("%d spans came out, expected the one", sink.SpanCount())
		}
		return sink.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes().AsRaw()
	}
}

func metricsThrough(t testing.TB, set component.TelemetrySettings, cfg *Config) enrich {
	sink := new(consumertest.MetricsSink)
	p, err := NewFactory().CreateMetrics(t.Context(), settings(set), cfg, sink)
	started(t, p, err)
	return func(attributes map[string]any) map[string]any {
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		if err := rm.Resource().Attributes().FromRaw(attributes); err != nil {
			t.Fatal(err)
		}
		rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
		sink.Reset()
		if err := p.ConsumeMetrics(t.Context(), md); err != nil {
			t.Fatal(err)
		}
		if sink.DataPointCount() != 1 {
			t.Errorf("%d data points came out, expected the one", sink.DataPointCount())
		}
		return sink.AllMetrics()[0].ResourceMetrics().At(0).Resource().Attributes().AsRaw()
	}
}

func logsThrough(t testing.TB, set component.TelemetrySettings, cfg *Config) enrich {
	sink := new(consumertest.LogsSink)
	p, err := NewFactory().CreateLogs(t.Context(), settings(set), cfg, sink)
	started(t, p, err)
	return func(attributes map[string]any) map[string]any {
		ld := plog.NewLogs()
		rl := ld.ResourceLogs().AppendEmpty()
		if err := rl.Resource().Attributes().FromRaw(attributes); err != nil {
			t.Fatal(err)
		}
		rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		sink.Reset()
		if err := p.ConsumeLogs(t.Context(), ld); err != nil {
			t.Fatal(err)
		}
		if sink.LogRecordCount() != 1 {
			t.Errorf("%d records came out, expected the one", sink.LogRecordCount())
		}
		return sink.AllLogs()[0].ResourceLogs().At(0).Resource().Attributes().AsRaw()
	}
}
