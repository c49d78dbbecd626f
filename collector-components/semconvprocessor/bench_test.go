// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"
	"fmt"
	"testing"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/metadata"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
)

const benchItems = 1000

func benchResource(r pcommon.Resource) {
	r.Attributes().PutStr("service.name", "shop")
	r.Attributes().PutStr("service.version", "1")
	r.Attributes().PutStr("service.instance.id", "1")
}

// newBench is an instance that counts for real, without a pipeline around it.
func newBench(b *testing.B, signal string) *semconvProcessor {
	b.Helper()
	tel := componenttest.NewTelemetry()
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	p, err := newProcessor(set, config(nil), signal)
	if err != nil {
		b.Fatal(err)
	}
	if err := p.start(b.Context(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		p.shutdown(context.Background())
		tel.Shutdown(context.Background())
	})
	return p
}

// fillers are ten attributes as the conventions have them, and as they had them.
var fillers = map[string]func(m pcommon.Map){
	"clean": func(m pcommon.Map) {
		m.PutStr("http.request.method", "GET")
		m.PutStr("url.path", "/orders/17")
		m.PutStr("url.scheme", "https")
		m.PutStr("http.route", "/orders/{id}")
		m.PutInt("http.response.status_code", 200)
		m.PutStr("client.address", "10.0.0.1")
		m.PutStr("server.address", "shop.example")
		m.PutInt("server.port", 443)
		m.PutStr("network.protocol.version", "2")
		m.PutStr("user_agent.original", "curl/8")
	},
	"deprecated": func(m pcommon.Map) {
		m.PutStr("http.method", "GET")
		m.PutStr("http.target", "/orders/17")
		m.PutStr("http.scheme", "https")
		m.PutStr("http.route", "/orders/{id}")
		m.PutInt("http.status_code", 200)
		m.PutStr("http.client_ip", "10.0.0.1")
		m.PutStr("net.host.name", "shop.example")
		m.PutInt("net.host.port", 443)
		m.PutStr("net.protocol.version", "2")
		m.PutStr("http.user_agent", "curl/8")
	},
}

func BenchmarkTraces(b *testing.B) {
	for name, fill := range fillers {
		b.Run(name, func(b *testing.B) {
			td := ptrace.NewTraces()
			r := td.ResourceSpans().AppendEmpty()
			benchResource(r.Resource())
			for range benchItems {
				s := r.ScopeSpans()
				if s.Len() == 0 {
					s.AppendEmpty()
				}
				span := s.At(0).Spans().AppendEmpty()
				span.SetKind(ptrace.SpanKindServer)
				fill(span.Attributes())
			}
			q := newBench(b, "traces")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := q.traces(b.Context(), td); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchItems, "ns/span")
		})
	}
}

func BenchmarkMetrics(b *testing.B) {
	md := pmetric.NewMetrics()
	r := md.ResourceMetrics().AppendEmpty()
	benchResource(r.Resource())
	m := r.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("http.server.request.duration")
	m.SetUnit("s")
	points := m.SetEmptyHistogram().DataPoints()
	for i := range benchItems {
		a := points.AppendEmpty().Attributes()
		a.PutStr("http.request.method", "GET")
		a.PutStr("url.scheme", "https")
		a.PutStr("http.route", fmt.Sprint("/", i))
		a.PutInt("http.response.status_code", 200)
		a.PutStr("network.protocol.version", "2")
	}
	q := newBench(b, "metrics")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.metrics(b.Context(), md); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchItems, "ns/datapoint")
}

func BenchmarkLogs(b *testing.B) {
	ld := plog.NewLogs()
	r := ld.ResourceLogs().AppendEmpty()
	benchResource(r.Resource())
	s := r.ScopeLogs().AppendEmpty()
	for range benchItems {
		a := s.LogRecords().AppendEmpty().Attributes()
		a.PutStr("http.request.method", "GET")
		a.PutStr("url.path", "/orders/17")
		a.PutStr("exception.type", "Timeout")
		a.PutStr("code.function.name", "shop.Order")
		a.PutInt("code.line.number", 17)
	}
	q := newBench(b, "logs")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.logs(b.Context(), ld); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchItems, "ns/record")
}
