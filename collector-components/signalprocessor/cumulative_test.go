// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"math"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// coarse changes the scale of the point that exponential makes to -1: its values are all
// within (1/256, 1/64] of the unit.
func coarse(fill func(pmetric.Metric)) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		fill(m)
		dp := m.ExponentialHistogram().DataPoints().At(0)
		dp.SetScale(-1)
		dp.Positive().SetOffset(-4)
	}
}

func TestBucketsThatAnSDKMadeCoarserAreNoNewLatencies(t *testing.T) {
	r := newRig(t, nil)
	send := func(end int, count uint64, change func(func(pmetric.Metric)) func(pmetric.Metric)) {
		fill := exponential(cumulative, -200, end, count, float64(count)*0.01, toOrders)
		r.send("service:storefront", metricOf("storefront", "http.client.request.duration", "s", change(fill)))
	}
	send(-60, 1000, func(f func(pmetric.Metric)) func(pmetric.Metric) { return f })
	send(-30, 1010, coarse)
	if w := r.window("orders", "o1", 60); w.Requests != 10 || w.Latency.Count() != 0 {
		t.Errorf("%d requests with %d latencies, want 10 with none: which are new nobody can tell", w.Requests, w.Latency.Count())
	}
	send(0, 1030, coarse)
	if w := r.window("orders", "o1", 60); w.Requests != 30 || w.Latency.Count() != 20 {
		t.Errorf("%d requests with %d latencies, want 30 with the 20 that came since", w.Requests, w.Latency.Count())
	}
}

func TestCumulativeBucketsThatAreNotWhatWasCounted(t *testing.T) {
	for name, spoil := range map[string]func(pmetric.ExponentialHistogramDataPoint){
		"more than were counted": func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.Positive().BucketCounts().FromRaw([]uint64{1 << 40})
		},
		"fewer": func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.Positive().BucketCounts().FromRaw([]uint64{1005})
		},
		"a sum that wraps": func(dp pmetric.ExponentialHistogramDataPoint) {
			dp.Positive().BucketCounts().FromRaw([]uint64{1020})
			dp.SetZeroCount(math.MaxUint64 - 9)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.send("service:a", metricOf("a", "http.client.request.duration", "s", exponential(cumulative, -200, -30, 1000, 10, toOrders)))
			md := metricOf("a", "http.client.request.duration", "s", exponential(cumulative, -200, 0, 1010, 10.1, toOrders))
			spoil(md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).ExponentialHistogram().DataPoints().At(0))
			r.send("service:a", md)
			if w := r.window("orders", "o1", 60); w.Requests != 10 || w.Latency.Count() != 0 {
				t.Errorf("%d requests with %d latencies, want 10 with none", w.Requests, w.Latency.Count())
			}
		})
	}
}
