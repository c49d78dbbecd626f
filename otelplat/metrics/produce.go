// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"math"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

var _ sdkmetric.Producer = (*Set)(nil)

// Produce implements the SDK's Producer: all that the set holds, cumulative.
func (s *Set) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	histograms := s.read()
	var list []metricdata.Metrics
	s.each(func(f *family, all []*series) {
		m := metricdata.Metrics{Name: f.name, Unit: f.unit, Description: f.description}
		switch f.kind {
		case counter:
			m.Data = sumOf(all, now)
		case gauge:
			m.Data = gaugeOf(all, now)
		case histogram:
			m.Data = histogramOf(all, histograms, now)
		}
		list = append(list, m)
	})
	if len(list) == 0 {
		return nil, nil
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: s.scope}, Metrics: list}}, nil
}

func sumOf(all []*series, now time.Time) metricdata.Sum[int64] {
	sum := metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}
	for _, n := range all {
		value, began := n.counted(now)
		sum.DataPoints = append(sum.DataPoints, metricdata.DataPoint[int64]{
			Attributes: n.attributes, StartTime: began, Time: now, Value: int64(min(value, math.MaxInt64)), //nolint:gosec // bounded
		})
	}
	return sum
}

// counted returns the count and when it began. One that is smaller than it was began
// again since.
func (n *series) counted(now time.Time) (uint64, time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	value := n.counter.Value()
	if value < n.last {
		n.counter.began.Store(now.UnixNano())
	}
	n.last = value
	return value, time.Unix(0, n.counter.began.Load())
}

func gaugeOf(all []*series, now time.Time) metricdata.Gauge[float64] {
	var g metricdata.Gauge[float64]
	for _, n := range all {
		g.DataPoints = append(g.DataPoints, metricdata.DataPoint[float64]{Attributes: n.attributes, Time: now, Value: n.gauge.Value()})
	}
	return g
}

func histogramOf(all []*series, read map[string]*measured, now time.Time) metricdata.ExponentialHistogram[float64] {
	h := metricdata.ExponentialHistogram[float64]{Temporality: metricdata.CumulativeTemporality}
	for _, n := range all {
		p := metricdata.ExponentialHistogramDataPoint[float64]{
			Attributes: n.attributes, StartTime: time.Unix(0, n.histogram.began.Load()), Time: now, Scale: scale, ZeroThreshold: zeroThreshold,
		}
		if m := read[n.vmName]; m != nil {
			p.Count, p.Sum = m.count, m.sum
			p.ZeroCount, p.PositiveBucket = m.exponential()
		}
		h.DataPoints = append(h.DataPoints, p)
	}
	return h
}
