// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"
	"fmt"
	"testing"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
)

const benchItems = 1000

// next is a router to three pipelines of a signal that take everything.
func next[C any](signal pipeline.Signal, c C) map[pipeline.ID]C {
	m := make(map[pipeline.ID]C)
	for _, p := range pipelines {
		m[pipeline.NewIDWithName(signal, p)] = c
	}
	return m
}

// fill makes an item of ten attributes, the route among them.
func fill(attributes pcommon.Map, route string) {
	for i := range 9 {
		attributes.PutStr(fmt.Sprint("attribute.", i), "value")
	}
	attributes.PutStr(semconv.TelemetryRoute, route)
}

// rearm puts the routes back that were taken out.
func rearm(attributes pcommon.Map, i int, alternating bool) {
	route := "cold"
	if alternating && i%2 == 1 {
		route = "misspelt"
	}
	attributes.PutStr(semconv.TelemetryRoute, route)
}

func run(b *testing.B, unit string, prepare func(alternating bool), consume func() error) {
	for _, alternating := range []bool{false, true} {
		name := "one way"
		if alternating {
			name = "two ways"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				prepare(alternating)
				b.StartTimer()
				if err := consume(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchItems), unit)
		})
	}
}

func BenchmarkTraces(b *testing.B) {
	template := ptrace.NewTraces()
	spans := template.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range benchItems {
		fill(spans.AppendEmpty().Attributes(), "cold")
	}
	c, err := NewFactory().CreateTracesToTraces(b.Context(), settings(componenttest.NewNopTelemetrySettings()), configured(b, nil),
		connector.NewTracesRouter(next[consumer.Traces](pipeline.SignalTraces, consumertest.NewNop())))
	if err != nil {
		b.Fatal(err)
	}
	td := ptrace.NewTraces()
	run(b, "ns/span", func(alternating bool) {
		if alternating || td.SpanCount() != benchItems {
			td = ptrace.NewTraces()
			template.CopyTo(td)
		}
		for i, s := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			rearm(s.Attributes(), i, alternating)
		}
	}, func() error { return c.ConsumeTraces(context.Background(), td) })
}

func BenchmarkMetrics(b *testing.B) {
	template := pmetric.NewMetrics()
	list := template.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for range benchItems {
		m := list.AppendEmpty()
		m.SetEmptyGauge().DataPoints().AppendEmpty()
		fill(m.Metadata(), "cold")
	}
	c, err := NewFactory().CreateMetricsToMetrics(b.Context(), settings(componenttest.NewNopTelemetrySettings()), configured(b, nil),
		connector.NewMetricsRouter(next[consumer.Metrics](pipeline.SignalMetrics, consumertest.NewNop())))
	if err != nil {
		b.Fatal(err)
	}
	md := pmetric.NewMetrics()
	run(b, "ns/metric", func(alternating bool) {
		if alternating || md.MetricCount() != benchItems {
			md = pmetric.NewMetrics()
			template.CopyTo(md)
		}
		for i, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			rearm(m.Metadata(), i, alternating)
		}
	}, func() error { return c.ConsumeMetrics(context.Background(), md) })
}

func BenchmarkLogs(b *testing.B) {
	template := plog.NewLogs()
	records := template.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range benchItems {
		fill(records.AppendEmpty().Attributes(), "cold")
	}
	c, err := NewFactory().CreateLogsToLogs(b.Context(), settings(componenttest.NewNopTelemetrySettings()), configured(b, nil),
		connector.NewLogsRouter(next[consumer.Logs](pipeline.SignalLogs, consumertest.NewNop())))
	if err != nil {
		b.Fatal(err)
	}
	ld := plog.NewLogs()
	run(b, "ns/record", func(alternating bool) {
		if alternating || ld.LogRecordCount() != benchItems {
			ld = plog.NewLogs()
			template.CopyTo(ld)
		}
		for i, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			rearm(r.Attributes(), i, alternating)
		}
	}, func() error { return c.ConsumeLogs(context.Background(), ld) })
}

func TestABatchOfOneWayCostsNoAllocation(t *testing.T) {
	td := tracesOf([]resource{{"orders", "cold", []scope{{"http", make([]item, benchItems)}}}})
	c, err := NewFactory().CreateTracesToTraces(t.Context(), settings(componenttest.NewNopTelemetrySettings()), configured(t, map[string]any{"keep_attribute": true}),
		connector.NewTracesRouter(next[consumer.Traces](pipeline.SignalTraces, consumertest.NewNop())))
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		if err := c.ConsumeTraces(context.Background(), td); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 3 { // of the instruments, for the batch
		t.Errorf("%v allocations for a batch of %d spans", allocs, benchItems)
	}
}
