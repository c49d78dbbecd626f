// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

const (
	// maxScrapes is how many scrapes are answered at once, others get a 503.
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// Scrape serves metrics to Prometheus: those of OpenTelemetry's instruments, through
// a reader that otelplat.Start takes, and those of sets.
//
//	scrape, err := metrics.NewScrape(set)
//	t, err := otelplat.Start(ctx, otelplat.WithMetricReader(scrape.Reader()), otelplat.WithMetricProducer(set))
//	mux.Handle("GET /metrics", scrape)
//
// An answer is gathered before it is written, so that a slow scraper holds no lock. A
// series that both worlds have is left out the second time, and logged.
type Scrape struct {
	reader  sdkmetric.Reader
	handler http.Handler
}

// NewScrape returns what serves the sets, and whatever meets its reader.
func NewScrape(sets ...*Set) (*Scrape, error) {
	registry := prometheus.NewRegistry()
	var errs []error
	for _, s := range sets {
		errs = append(errs, registry.Register(&collector{s}))
	}
	reader, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &Scrape{reader, promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
	})}, nil
}

// Reader is for otelplat.WithMetricReader, once.
func (s *Scrape) Reader() sdkmetric.Reader { return s.reader }

// ServeHTTP answers a scrape.
func (s *Scrape) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// scrapeLog writes what goes wrong in a scrape to the process's logger.
type scrapeLog struct{}

func (scrapeLog) Println(v ...any) {
	slog.Warn("metrics: a scrape is not whole", "error", fmt.Sprint(v...))
}

// promName is a family's name at the edge of Prometheus, as OpenTelemetry's own
// exporter makes it.
func promName(f *family) (string, error) {
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	types := map[kind]otlptranslator.MetricType{
		counter: otlptranslator.MetricTypeMonotonicCounter, gauge: otlptranslator.MetricTypeGauge, histogram: otlptranslator.MetricTypeHistogram,
	}
	return namer.Build(otlptranslator.Metric{Name: f.name, Unit: f.unit, Type: types[f.kind]})
}

// collector shows a set to Prometheus's registry.
type collector struct{ set *Set }

// Describe tells nothing, which makes it a collector whose series come and go.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends all series.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	histograms := c.set.read()
	c.set.each(func(f *family, all []*series) {
		for _, n := range all {
			desc := prometheus.NewDesc(f.promName, f.description, n.labels, nil)
			m, err := n.prometheus(desc, f.kind, histograms[n.vmName])
			if err != nil {
				m = prometheus.NewInvalidMetric(desc, err)
			}
			to <- m
		}
	})
}

func (n *series) prometheus(desc *prometheus.Desc, k kind, m *measured) (prometheus.Metric, error) {
	switch k {
	case counter:
		value, began := n.counted(time.Now())
		return prometheus.NewConstMetricWithCreatedTimestamp(desc, prometheus.CounterValue, float64(value), began, n.values...)
	case gauge:
		return prometheus.NewConstMetric(desc, prometheus.GaugeValue, n.gauge.Value(), n.values...)
	}
	if m == nil {
		m = &measured{}
	}
	upTo, buckets := uint64(0), make(map[float64]uint64, len(m.buckets))
	for _, b := range m.buckets {
		upTo += b.count
		if !math.IsInf(b.to, 1) { // the last one is the count
			buckets[b.to] = upTo
		}
	}
	return prometheus.NewConstHistogram(desc, m.count, m.sum, buckets, n.values...)
}
