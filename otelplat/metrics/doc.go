// SPDX-License-Identifier: Apache-2.0

// Package metrics counts and measures on the hottest paths, at the cost of an atomic
// addition, and brings what it counted to where OpenTelemetry's metrics go.
//
//	set := metrics.NewSet()
//	t, err := otelplat.Start(ctx, otelplat.WithMetricProducer(set))
//	...
//	placed, err := set.Counter("shop.orders.placed", metrics.WithUnit("{order}"))
//	...
//	placed.Inc()
//
// Counters, gauges and histograms are those of VictoriaMetrics/metrics. A [Set]
// registers them, and is a Producer of OpenTelemetry's SDK: what it holds leaves with
// the service's other metrics, over OTLP and with the same resource. [Scrape] serves
// both worlds on /metrics.
//
// # Names
//
// Names, units and attributes are OpenTelemetry's: "shop.orders.placed", "{order}".
// At the edge of Prometheus they become its own by the rules of the OpenTelemetry
// specification: shop_orders_placed_total.
//
// An instrument with other attributes is another series of the same name. Asking for
// the same one again returns the same one; that takes a lock and a look-up, so keep
// what the hot path uses. A name has at most [MaxSeries] series; beyond it all share
// one with the attribute otel.metric.overflow.
//
// # The verbs of the original platform
//
//	Counter   Incr → Inc, Add    Decr → Dec     Reset → Reset
//	Gauge     Set → Set          (and Inc, Dec, Add)  Reset → Reset
//	Histogram Record → Record    Reset → Reset
//
// A counter that was reset or decremented is, for whoever reads it, one that began
// again: rates leave the fall out. What goes up and down by its nature is a gauge.
//
// # Histograms
//
// A histogram has 18 buckets for each power of ten from 1e-9 to 1e18, and no
// configuration. Over OTLP it is an exponential histogram of scale 3, the scale of
// otelplat's signals. Count and sum are exact; a quantile is within 11.4 % of the
// recorded value: half a bucket of each of the two (the square root of 1.1365 ×
// 1.0905). On /metrics it has classic buckets with the upper bounds of its own.
// Negative values and NaN are left out, as VictoriaMetrics does.
//
// All methods are safe for concurrent use. There are no goroutines.
package metrics
