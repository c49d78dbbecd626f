// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/otelplat/platform/otelplat/metrics"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// scraped is what Prometheus's own parser reads of /metrics.
func scraped(t testing.TB, s *metrics.Scrape) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%d %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatalf("Prometheus does not read it: %v", err)
	}
	return families
}

func newScrape(t testing.TB, sets ...*metrics.Set) *metrics.Scrape {
	t.Helper()
	s, err := metrics.NewScrape(sets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBothWorldsAreScrapedAndACounterReadsTheSameEverywhere(t *testing.T) {
	set := metrics.NewSet()
	scrape := newScrape(t, set)
	otlp := sdkmetric.NewManualReader(sdkmetric.WithProducer(set)) // as the exporter's reader has it
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(scrape.Reader()), sdkmetric.WithReader(otlp))
	defer func() { _ = provider.Shutdown(context.Background()) }()

	weird := "quote\" back\\slash line\nbreak ü {}"
	ours := counterOf(t, set, "shop.orders.placed", metrics.WithUnit("{order}"), metrics.WithDescription("Orders \\ \n \"placed\""),
		metrics.With(attribute.String("item.name", weird), attribute.Int("n", 7)))
	ours.Add(42)
	metrics.Must(set.Gauge("shop.temperature", metrics.WithUnit("Cel"))).Set(math.NaN())
	metrics.Must(set.Gauge("shop.limit")).Set(math.Inf(1))
	h := metrics.Must(set.Histogram("shop.duration", metrics.WithUnit("s")))
	for _, v := range []float64{0, 1e-12, 0.1, 0.1, 5, 1e30} {
		h.Record(v)
	}
	metrics.Must(set.Histogram("shop.empty", metrics.WithUnit("By")))
	theirs, err := provider.Meter("m").Int64Counter("otel.requests", metric.WithUnit("{request}"))
	if err != nil {
		t.Fatal(err)
	}
	theirs.Add(t.Context(), 3)

	families := scraped(t, scrape)
	placed := families["shop_orders_placed_total"]
	if placed.GetType() != dto.MetricType_COUNTER || placed.GetHelp() != "Orders \\ \n \"placed\"" || len(placed.GetMetric()) != 1 {
		t.Fatalf("%v", placed)
	}
	labels := make(map[string]string)
	for _, l := range placed.GetMetric()[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["item_name"] != weird || labels["n"] != "7" {
		t.Errorf("labels %q", labels)
	}
	if f := families["otel_requests_total"]; f.GetMetric()[0].GetCounter().GetValue() != 3 {
		t.Errorf("OpenTelemetry's counter: %v", f)
	}
	if f := families["shop_temperature_celsius"]; !math.IsNaN(f.GetMetric()[0].GetGauge().GetValue()) {
		t.Errorf("a gauge that is not a number: %v", f)
	}
	if f := families["shop_limit"]; !math.IsInf(f.GetMetric()[0].GetGauge().GetValue(), 1) {
		t.Errorf("an infinite gauge: %v", f)
	}
	duration := families["shop_duration_seconds"].GetMetric()[0].GetHistogram()
	if duration.GetSampleCount() != 6 || duration.GetSampleSum() != 5.2+1e-12+1e30 {
		t.Errorf("%v", duration)
	}
	last := uint64(0)
	for _, b := range duration.GetBucket() {
		if b.GetCumulativeCount() < last {
			t.Errorf("buckets are not cumulative: %v", duration)
		}
		last = b.GetCumulativeCount()
		if b.GetUpperBound() > 0.1 && b.GetUpperBound() < 1 && last != 4 {
			t.Errorf("%d values up to %g, want 4", last, b.GetUpperBound())
		}
	}
	if f := families["shop_empty_bytes"].GetMetric()[0].GetHistogram(); f.GetSampleCount() != 0 {
		t.Errorf("%v", f)
	}

	var rm metricdata.ResourceMetrics
	if err := otlp.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	overOTLP := int64(-1)
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			if m.Name == "shop.orders.placed" {
				overOTLP = m.Data.(metricdata.Sum[int64]).DataPoints[0].Value
			}
		}
	}
	if got := placed.GetMetric()[0].GetCounter().GetValue(); got != 42 || overOTLP != 42 {
		t.Errorf("%g on /metrics and %d over OTLP, want 42", got, overOTLP)
	}
}

func TestASeriesThatBothWorldsHaveIsServedOnce(t *testing.T) {
	set := metrics.NewSet()
	scrape := newScrape(t, set)
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(scrape.Reader()))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	counterOf(t, set, "same").Add(1)
	counterOf(t, set, "other").Add(2)
	theirs, err := provider.Meter("m").Float64Gauge("same.total")
	if err != nil {
		t.Fatal(err)
	}
	theirs.Record(t.Context(), 5)
	families := scraped(t, scrape)
	if len(families["same_total"].GetMetric()) != 1 || families["other_total"].GetMetric()[0].GetCounter().GetValue() != 2 {
		t.Errorf("%v", families)
	}
}

func BenchmarkScrape(b *testing.B) {
	scrape := newScrape(b, thousand(b))
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		scrape.ServeHTTP(w, r)
		_, _ = io.Copy(io.Discard, w.Body)
	}
}
