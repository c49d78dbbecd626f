// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const spansInBatch = 1000

// clientSpans is a batch of one resource's calls to both instances of a service, with ten
// attributes each.
func clientSpans(attributesOfASpan int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "storefront")
	list := rs.ScopeSpans().AppendEmpty().Spans()
	end := time.Now()
	for i := range spansInBatch {
		s := list.AppendEmpty()
		s.SetName("GET")
		s.SetKind(ptrace.SpanKindClient)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-time.Duration(i+1) * 100 * time.Microsecond)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
		a := s.Attributes()
		a.PutStr("http.request.method", "GET")
		a.PutStr("url.full", "http://orders/")
		a.PutStr("server.address", fmt.Sprintf("10.0.0.%d", i%2+1))
		a.PutInt("server.port", 8080)
		a.PutInt("http.response.status_code", 200)
		for k := a.Len(); k < attributesOfASpan; k++ {
			a.PutStr(fmt.Sprintf("app.attribute.%d", k), "some value")
		}
	}
	return td
}

// BenchmarkSpans reads client spans, the dearest kind: others are passed over.
func BenchmarkSpans(b *testing.B) {
	r := newRig(b, nil)
	td := clientSpans(10)
	ctx := from(b.Context(), "service:storefront")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.traces(ctx, td); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spansInBatch, "ns/span")
}

// BenchmarkMetrics reads a hundred points of each form.
func BenchmarkMetrics(b *testing.B) {
	for name, md := range map[string]func() pmetric.Metrics{
		"router": func() pmetric.Metrics { return measurements("o1", "ok", 20) },
		"explicit": func() pmetric.Metrics {
			return metricOf("storefront", "http.client.request.duration", "s", explicit(delta, -1, 0, 20, 0.2, toOrders))
		},
		"exponential": func() pmetric.Metrics {
			return metricOf("storefront", "http.client.request.duration", "s", exponential(delta, -1, 0, 20, 0.2, toOrders))
		},
		"cumulative": func() pmetric.Metrics {
			return metricOf("storefront", "http.client.request.duration", "s", explicit(cumulative, -100, 0, 20, 0.2, toOrders))
		},
		"other": func() pmetric.Metrics {
			return metricOf("storefront", "shop.orders", "s", explicit(delta, -1, 0, 20, 0.2, toOrders))
		},
	} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, func(c *Config) { c.Forward = true })
			md := md()
			m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
			var explicit []pmetric.HistogramDataPoint
			if m.Type() == pmetric.MetricTypeHistogram {
				dps := m.Histogram().DataPoints()
				for i := range 99 {
					dps.At(0).CopyTo(dps.AppendEmpty())
					dps.At(i+1).Attributes().PutInt("app.worker", int64(i)) // a series of its own
				}
				for _, dp := range dps.All() {
					explicit = append(explicit, dp)
				}
			} else {
				dps := m.ExponentialHistogram().DataPoints()
				for range 99 {
					dps.At(0).CopyTo(dps.AppendEmpty())
				}
			}
			ctx := from(b.Context(), "service:storefront")
			b.ReportAllocs()
			n := uint64(20)
			for b.Loop() {
				if name == "cumulative" {
					n += 20
					for _, dp := range explicit {
						dp.SetCount(n)
						dp.SetTimestamp(dp.Timestamp() + 1)
					}
				}
				if _, err := r.metrics(ctx, md); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/datapoint")
		})
	}
}
