// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"testing"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/registry"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func openTelemetry(tb testing.TB) *Rules {
	tb.Helper()
	d, err := registry.Read(&registry.Document{})
	if err != nil {
		tb.Fatal(err)
	}
	return Compile(d, nil)
}

// httpAttributes are ten that a server's span has to or should have.
func httpAttributes(m pcommon.Map) {
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
}

const benchItems = 1000

func BenchmarkSpan(b *testing.B) {
	rules := openTelemetry(b)
	for name, fill := range map[string]func(pcommon.Map){
		"ten known attributes": httpAttributes,
		"ten attributes, three of them deprecated": func(m pcommon.Map) {
			httpAttributes(m)
			m.Remove("http.route")
			m.Remove("server.port")
			m.Remove("server.address")
			m.PutStr("http.method", "GET")
			m.PutStr("net.peer.name", "x")
			m.PutInt("http.status_code", 200)
		},
		"ten attributes, three of them unknown": func(m pcommon.Map) {
			httpAttributes(m)
			m.Remove("http.route")
			m.Remove("server.port")
			m.Remove("server.address")
			m.PutStr("shop.order.id", "1")
			m.PutStr("http.request.extension", "x")
			m.PutStr("shop.cart.size", "3")
		},
	} {
		b.Run(name, func(b *testing.B) {
			spans := ptrace.NewSpanSlice()
			for range benchItems {
				s := spans.AppendEmpty()
				s.SetKind(ptrace.SpanKindServer)
				fill(s.Attributes())
			}
			var c Checker
			discard := func(finding.Key, int64) {}
			run := func() {
				c.Begin(rules, nil, false)
				for i := range spans.Len() {
					c.Span(spans.At(i))
				}
				c.Tally.End(discard)
			}
			run()
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchItems, "ns/span")
		})
	}
}

func BenchmarkDataPoint(b *testing.B) {
	rules := openTelemetry(b)
	m := pmetric.NewMetric()
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
	var c Checker
	c.Begin(rules, nil, true)
	b.ReportAllocs()
	for b.Loop() {
		c.Metric(m)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchItems, "ns/datapoint")
}

func BenchmarkLogRecord(b *testing.B) {
	rules := openTelemetry(b)
	l := plog.NewLogRecord()
	l.SetEventName("exception")
	l.Attributes().PutStr("exception.type", "E")
	l.Attributes().PutStr("exception.message", "m")
	l.Attributes().PutStr("exception.stacktrace", "s")
	l.Attributes().PutStr("code.function.name", "f")
	l.Attributes().PutInt("code.line.number", 4)
	var c Checker
	c.Begin(rules, nil, false)
	b.ReportAllocs()
	for b.Loop() {
		c.Log(l)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/record")
}
