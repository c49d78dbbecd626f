// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"fmt"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/metadata"
	"os"
	"testing"

	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
)

const batchSize = 1000

func benchProcessor(b *testing.B, mode, signal string, files map[string]string) *policyProcessor {
	b.Helper()
	engine, err := policy.Open(b.Context(), policy.Static("telemetry", files))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { engine.Close() })
	cfg := defaultConfig().(*Config)
	cfg.Mode = mode
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), cfg, signal)
	if err != nil {
		b.Fatal(err)
	}
	p.gate.engine.Store(engine)
	return p
}

func defaultFiles(b *testing.B) map[string]string {
	b.Helper()
	files := map[string]string{}
	for _, name := range []string{"claims.rego", "telemetry.rego"} {
		text, err := os.ReadFile(defaultBundle + "/" + name)
		if err != nil {
			b.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

// BenchmarkEnforce passes batches of which nothing is dropped and nothing found.
func BenchmarkEnforce(b *testing.B) {
	for name, files := range map[string]map[string]string{
		"default": defaultFiles(b),
		"drop":    rules(`drop contains "noise" if input.item.attributes["k0"] == "noise"`),
		"none":    rules("x := 1"),
	} {
		b.Run("logs/"+name, func(b *testing.B) {
			ld := plog.NewLogs()
			rl := ld.ResourceLogs().AppendEmpty()
			rl.Resource().Attributes().PutStr("service.name", "orders")
			list := rl.ScopeLogs().AppendEmpty().LogRecords()
			for i := range batchSize {
				r := list.AppendEmpty()
				r.Body().SetStr(fmt.Sprintf("order %d was placed by a customer who shall not be named", i))
				for k := range 10 {
					r.Attributes().PutStr(fmt.Sprintf("k%d", k), "some value")
				}
			}
			p := benchProcessor(b, ModeEnforce, "logs", files)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.logs(b.Context(), ld); err != nil {
					b.Fatal(err)
				}
			}
			perItem(b, "log")
		})
		b.Run("traces/"+name, func(b *testing.B) {
			td := ptrace.NewTraces()
			rs := td.ResourceSpans().AppendEmpty()
			rs.Resource().Attributes().PutStr("service.name", "orders")
			list := rs.ScopeSpans().AppendEmpty().Spans()
			for range batchSize {
				s := list.AppendEmpty()
				s.SetName("GET /orders/{id}")
				s.SetKind(ptrace.SpanKindServer)
				for k := range 10 {
					s.Attributes().PutStr(fmt.Sprintf("k%d", k), "some value")
				}
			}
			p := benchProcessor(b, ModeEnforce, "traces", files)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.traces(b.Context(), td); err != nil {
					b.Fatal(err)
				}
			}
			perItem(b, "span")
		})
		b.Run("metrics/"+name, func(b *testing.B) {
			md := pmetric.NewMetrics()
			rm := md.ResourceMetrics().AppendEmpty()
			rm.Resource().Attributes().PutStr("service.name", "orders")
			list := rm.ScopeMetrics().AppendEmpty().Metrics()
			for range batchSize {
				m := list.AppendEmpty()
				m.SetName("http.server.request.duration")
				p := m.SetEmptyGauge().DataPoints().AppendEmpty()
				for k := range 10 {
					p.Attributes().PutStr(fmt.Sprintf("k%d", k), "some value")
				}
			}
			p := benchProcessor(b, ModeEnforce, "metrics", files)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.metrics(b.Context(), md); err != nil {
					b.Fatal(err)
				}
			}
			perItem(b, "metric")
		})
	}
}

// BenchmarkClaims is a batch of one resource, whose decision is cached.
func BenchmarkClaims(b *testing.B) {
	p := benchProcessor(b, ModeClaims, "traces", defaultFiles(b))
	ctx := as(b.Context(), "service", "orders")
	td := spansOf("orders")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.traces(ctx, td); err != nil {
			b.Fatal(err)
		}
	}
}

func perItem(b *testing.B, item string) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batchSize, "ns/"+item)
}
