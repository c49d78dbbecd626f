// SPDX-License-Identifier: Apache-2.0

package telemetry_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor"
	"github.com/otelplat/platform/collector-components/policyprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
)

const (
	spansInBatch      = 1000
	attributesOfASpan = 10
)

// spans is a batch of one resource, none of whose spans any rule matches.
func spans() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "orders")
	rs.Resource().Attributes().PutStr("service.namespace", "shop")
	rs.Resource().Attributes().PutStr("service.version", "1.2.3")
	rs.Resource().Attributes().PutStr("deployment.environment.name", "test")
	list := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range spansInBatch {
		s := list.AppendEmpty()
		s.SetName("GET /orders/{id}")
		s.SetKind(ptrace.SpanKindServer)
		s.Attributes().PutStr("http.request.method", "GET")
		s.Attributes().PutStr("url.scheme", "https")
		s.Attributes().PutStr("server.address", "orders.example.com")
		s.Attributes().PutStr("http.route", fmt.Sprintf("/orders/%d", i%20))
		s.Attributes().PutInt("http.response.status_code", 200)
		for k := s.Attributes().Len(); k < attributesOfASpan; k++ {
			s.Attributes().PutStr(fmt.Sprintf("app.attribute.%d", k), "some value")
		}
	}
	return td
}

// started makes a processor by its factory, as the collector does, and waits until it
// takes spans.
func started(b *testing.B, factory processor.Factory, config map[string]any) processor.Traces {
	b.Helper()
	cfg := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(config).Unmarshal(cfg); err != nil {
		b.Fatal(err)
	}
	p, err := factory.CreateTraces(b.Context(), processortest.NewNopSettings(factory.Type()), cfg, consumertest.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	if err := p.Start(b.Context(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { shutdown(b, p) })
	deadline := time.Now().Add(30 * time.Second)
	for err = p.ConsumeTraces(b.Context(), spans()); err != nil; err = p.ConsumeTraces(b.Context(), spans()) {
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
		<-time.After(time.Millisecond) // the bundle is read beside it
	}
	return p
}

func shutdown(b testing.TB, c component.Component) {
	if err := c.Shutdown(context.Background()); err != nil {
		b.Error(err)
	}
}

// perSpan passes one batch again and again, which nothing changes.
func perSpan(b *testing.B, p processor.Traces, td ptrace.Traces) (ns float64) {
	b.ReportAllocs()
	for b.Loop() {
		if err := p.ConsumeTraces(b.Context(), td); err != nil {
			b.Fatal(err)
		}
	}
	ns = float64(b.Elapsed().Nanoseconds()) / float64(b.N) / spansInBatch
	b.ReportMetric(ns, "ns/span")
	return ns
}

// BenchmarkPolicyProcessor drops by rules of the form "this attribute is that, and that
// one is below 500", of which none matches. x-contrib is how many times the filter
// processor takes as long.
func BenchmarkPolicyProcessor(b *testing.B) {
	numbers := []int{1, 10, 100, 300, 1000}
	filter := make(map[int]float64)
	for _, n := range numbers {
		b.Run(fmt.Sprintf("contrib-filter/rules=%d", n), func(b *testing.B) {
			var conditions []any
			for i := range n {
				conditions = append(conditions, fmt.Sprintf(
					`attributes["http.route"] == "/healthz%d" and attributes["http.response.status_code"] < 500`, i))
			}
			filter[n] = perSpan(b, started(b, filterprocessor.NewFactory(), map[string]any{
				"traces": map[string]any{"span": conditions},
			}), spans())
		})
	}
	for _, n := range numbers {
		b.Run(fmt.Sprintf("otelplat/rules=%d", n), func(b *testing.B) {
			var rego strings.Builder
			rego.WriteString("package otelplat.telemetry\n")
			for i := range n {
				fmt.Fprintf(&rego, `drop contains "healthz%d" if {
	input.item.attributes["http.route"] == "/healthz%d"
	input.item.attributes["http.response.status_code"] < 500
}
`, i, i)
			}
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "telemetry.rego"), []byte(rego.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			ns := perSpan(b, started(b, policyprocessor.NewFactory(), map[string]any{"mode": "enforce", "directory": dir}), spans())
			if peer := filter[n]; peer > 0 {
				b.ReportMetric(peer/ns, "x-contrib")
			}
		})
	}
}
