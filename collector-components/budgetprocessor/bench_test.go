// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
)

const batchSize = 1000

// bench opens a ledger with a budget of so many items, or bytes, a second.
func bench(b *testing.B, limit float64) *ledger {
	cfg := defaultConfig()
	cfg.Budgets.Defaults = Limits{
		SpansPerSecond: &limit, LogBytesPerSecond: &limit, DataPointsPerSecond: &limit,
		Series: of(100_000), SeriesPerMetric: of(100_000), ValuesPerLabel: of(10_000),
	}
	l, err := open(cfg, processortest.NewNopSettings(typ))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

var perSecond = map[string]float64{"within": 1e12, "over": 1000}

// perItem reports the time of an item.
func perItem(b *testing.B, elapsed time.Duration, unit string) {
	b.ReportMetric(float64(elapsed.Nanoseconds())/float64(b.N)/batchSize, unit)
}

func BenchmarkTraces(b *testing.B) {
	for _, state := range []string{"within", "over"} {
		b.Run("budget="+state, func(b *testing.B) {
			l := bench(b, perSecond[state])
			from := traceOf("orders", batchSize, "")
			for _, s := range from.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
				for i := range 9 {
					s.Attributes().PutStr(fmt.Sprint("http.request.header.", i), "some value of it")
				}
			}
			p := &budgets{ledger: l}
			var elapsed time.Duration
			b.ReportAllocs()
			for b.Loop() {
				td := from
				if state == "over" { // it is changed
					b.StopTimer()
					td = ptrace.NewTraces()
					from.CopyTo(td)
					b.StartTimer()
				}
				began := time.Now()
				_, _ = p.traces(b.Context(), td)
				elapsed += time.Since(began)
			}
			perItem(b, elapsed, "ns/span")
		})
	}
}

func BenchmarkLogs(b *testing.B) {
	for _, state := range []string{"within", "over"} {
		b.Run("budget="+state, func(b *testing.B) {
			l := bench(b, perSecond[state])
			from := logsOf("orders", batchSize, 100, false)
			p := &budgets{ledger: l}
			var elapsed time.Duration
			b.ReportAllocs()
			for b.Loop() {
				ld := from
				if state == "over" {
					b.StopTimer()
					ld = plog.NewLogs()
					from.CopyTo(ld)
					b.StartTimer()
				}
				began := time.Now()
				_, _ = p.logs(b.Context(), ld)
				elapsed += time.Since(began)
			}
			perItem(b, elapsed, "ns/record")
		})
	}
}

// pointsOf returns data points of four attributes each, as in the bar of 55 ns.
func pointsOf(points, first int) pmetric.Metrics {
	md := metricsOf("orders", points, first)
	for i, dp := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().All() {
		dp.Attributes().Clear()
		dp.Attributes().PutStr("http.request.method", []string{"GET", "POST"}[i%2])
		dp.Attributes().PutStr("http.route", fmt.Sprint("/orders/", i%50))
		dp.Attributes().PutStr("server.address", fmt.Sprint("host-", (first+i)/50))
		dp.Attributes().PutStr("http.response.status_code", []string{"200", "500", "404"}[i%3])
	}
	return md
}

func BenchmarkMetrics(b *testing.B) {
	for _, state := range []string{"known", "over", "folded"} {
		b.Run("series="+state, func(b *testing.B) {
			limit := 1e12
			if state == "over" {
				limit = perSecond["over"]
			}
			l := bench(b, limit)
			from := pointsOf(batchSize, 0)
			p := &budgets{ledger: l}
			if state == "folded" {
				cfg := *l.budgets.Load()
				cfg.Defaults.Series = of(10)
				l.budgets.Store(&cfg)
			}
			var elapsed time.Duration
			b.ReportAllocs()
			for b.Loop() {
				md := from
				if state != "known" {
					b.StopTimer()
					md = pmetric.NewMetrics()
					from.CopyTo(md)
					b.StartTimer()
				}
				began := time.Now()
				_, _ = p.metrics(b.Context(), md)
				elapsed += time.Since(began)
			}
			perItem(b, elapsed, "ns/datapoint")
		})
	}
}
