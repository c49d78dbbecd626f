// SPDX-License-Identifier: Apache-2.0

package series_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// recorder is a histogram as an SDK keeps it: all values, from which it makes points.
type recorder struct {
	id     int
	start  pcommon.Timestamp
	scale  int32
	values []float64
}

var bounds = []float64{1, 10, 100}

func (r *recorder) explicit(dp pmetric.HistogramDataPoint, now time.Duration) {
	counts := make([]uint64, len(bounds)+1)
	sum := 0.0
	for _, v := range r.values {
		i := 0
		for i < len(bounds) && math.Abs(v) > bounds[i] {
			i++
		}
		counts[i]++
		sum += v
	}
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(counts)
	dp.SetCount(uint64(len(r.values)))
	dp.SetSum(sum)
	dp.SetStartTimestamp(r.start)
	dp.SetTimestamp(at(now))
	dp.Attributes().PutInt("id", int64(r.id))
}

// index is the bucket of a value above zero.
func index(v float64, scale int32) int32 {
	return int32(math.Ceil(math.Log2(v)*math.Exp2(float64(scale)))) - 1
}

func (r *recorder) exponential(dp pmetric.ExponentialHistogramDataPoint, now time.Duration) {
	dp.SetScale(r.scale)
	sum := 0.0
	for _, v := range r.values {
		sum += v
		if v == 0 {
			dp.SetZeroCount(dp.ZeroCount() + 1)
			continue
		}
		b := dp.Positive()
		if v < 0 {
			b = dp.Negative()
		}
		i := index(math.Abs(v), r.scale)
		counts := b.BucketCounts().AsRaw()
		if len(counts) == 0 {
			b.SetOffset(i)
		}
		for ; i < b.Offset(); b.SetOffset(b.Offset() - 1) {
			counts = append([]uint64{0}, counts...)
		}
		for int(i-b.Offset()) >= len(counts) {
			counts = append(counts, 0)
		}
		counts[i-b.Offset()]++
		b.BucketCounts().FromRaw(counts)
	}
	dp.SetCount(uint64(len(r.values)))
	dp.SetSum(sum)
	dp.SetStartTimestamp(r.start)
	dp.SetTimestamp(at(now))
	dp.Attributes().PutInt("id", int64(r.id))
}

// values are of many magnitudes.
func values(r *rand.Rand, n int) (out []float64) {
	for range n {
		switch v := math.Exp(6 * r.NormFloat64()); r.IntN(10) {
		case 0:
			out = append(out, 0)
		case 1:
			out = append(out, -v)
		default:
			out = append(out, v)
		}
	}
	return out
}

func TestExplicitHistogramsThatAreFoldedAreTheHistogramOfAllTheirValues(t *testing.T) {
	for name, temporality := range map[string]pmetric.AggregationTemporality{
		"delta": pmetric.AggregationTemporalityDelta, "cumulative": pmetric.AggregationTemporalityCumulative,
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, series.Limits{Series: 1})
			random := rand.New(rand.NewPCG(1, 2))
			var all recorder // of the folded ones
			recorders := []*recorder{{}}
			for range 60 {
				rm, m := batch("latency")
				h := m.SetEmptyHistogram()
				h.SetAggregationTemporality(temporality)
				if name == "delta" {
					all.values = nil
				}
				for _, r := range recorders {
					if name == "delta" {
						r.values = nil
					} else if r.id > 0 && random.IntN(20) == 0 {
						r.values, r.start = nil, at(s.now) // begins again
					}
					v := values(random, random.IntN(5))
					r.values = append(r.values, v...)
					if r.id > 0 {
						all.values = append(all.values, v...)
					}
					r.explicit(h.DataPoints().AppendEmpty(), s.now)
				}
				s.process(rm)
				if len(recorders) > 1 {
					got, want := h.DataPoints().At(1), pmetric.NewHistogramDataPoint()
					all.explicit(want, s.now)
					if got.Count() != want.Count() || math.Abs(got.Sum()-want.Sum()) > 1e-6*(1+math.Abs(want.Sum())) || !equal(got.BucketCounts(), want.BucketCounts()) || !overflow(got.Attributes()) {
						t.Fatalf("%d values, sum %v, buckets %v; expected %d, %v, %v", got.Count(), got.Sum(), got.BucketCounts().AsRaw(), want.Count(), want.Sum(), want.BucketCounts().AsRaw())
					}
				}
				recorders = append(recorders, &recorder{id: len(recorders)})
				s.now += time.Minute
			}
		})
	}
}

func equal(a, b pcommon.UInt64Slice) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if a.At(i) != b.At(i) {
			return false
		}
	}
	return true
}

func TestExponentialHistogramsThatAreFoldedAreTheHistogramOfAllTheirValues(t *testing.T) {
	for name, temporality := range map[string]pmetric.AggregationTemporality{
		"delta": pmetric.AggregationTemporalityDelta, "cumulative": pmetric.AggregationTemporalityCumulative,
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, series.Limits{Series: 1})
			random := rand.New(rand.NewPCG(3, 4))
			var all recorder
			recorders := []*recorder{{}}
			for range 60 {
				rm, m := batch("latency")
				h := m.SetEmptyExponentialHistogram()
				h.SetAggregationTemporality(temporality)
				if name == "delta" {
					all.values = nil
				}
				for _, r := range recorders {
					if name == "delta" {
						r.values = nil
					} else if r.id > 0 && random.IntN(20) == 0 {
						r.values, r.start = nil, at(s.now)
					}
					if random.IntN(10) == 0 && r.scale > -2 {
						r.scale-- // as an SDK does when values are far apart
					}
					v := values(random, random.IntN(5))
					r.values = append(r.values, v...)
					if r.id > 0 {
						all.values = append(all.values, v...)
					}
					r.exponential(h.DataPoints().AppendEmpty(), s.now)
				}
				s.process(rm)
				if len(recorders) > 1 {
					got, want := h.DataPoints().At(1), pmetric.NewExponentialHistogramDataPoint()
					all.scale = got.Scale()
					all.exponential(want, s.now)
					if got.Count() != want.Count() || got.ZeroCount() != want.ZeroCount() || math.Abs(got.Sum()-want.Sum()) > 1e-6*(1+math.Abs(want.Sum())) ||
						!same(got.Positive(), want.Positive()) || !same(got.Negative(), want.Negative()) || got.Positive().BucketCounts().Len() > 160 {
						t.Fatalf("at scale %d: %d values, %d zeros, %d %v and %d %v; expected %d, %d, %d %v and %d %v", got.Scale(),
							got.Count(), got.ZeroCount(), got.Positive().Offset(), got.Positive().BucketCounts().AsRaw(), got.Negative().Offset(), got.Negative().BucketCounts().AsRaw(),
							want.Count(), want.ZeroCount(), want.Positive().Offset(), want.Positive().BucketCounts().AsRaw(), want.Negative().Offset(), want.Negative().BucketCounts().AsRaw())
					}
				}
				recorders = append(recorders, &recorder{id: len(recorders), scale: int32(random.IntN(5) - 1)})
				s.now += time.Minute
			}
		})
	}
}

// same says whether buckets hold the same, whatever empty ones there are.
func same(a, b pmetric.ExponentialHistogramDataPointBuckets) bool {
	counts := make(map[int32]int64)
	for i := range a.BucketCounts().Len() {
		counts[a.Offset()+int32(i)] += int64(a.BucketCounts().At(i))
	}
	for i := range b.BucketCounts().Len() {
		counts[b.Offset()+int32(i)] -= int64(b.BucketCounts().At(i))
	}
	for _, n := range counts {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestAWiderBucketOfZerosTakesTheSmallValues(t *testing.T) {
	s := newService(t, series.Limits{Series: 1})
	rm, m := batch("latency")
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i, threshold := range []float64{0, 0, 1} {
		dp := h.DataPoints().AppendEmpty()
		dp.SetZeroThreshold(threshold)
		dp.SetCount(4)
		dp.Positive().SetOffset(-2) // (1/4, 1/2], (1/2, 1], (1, 2], (2, 4]
		dp.Positive().BucketCounts().FromRaw([]uint64{1, 1, 1, 1})
		if threshold > 0 {
			dp.Positive().SetOffset(0)
			dp.Positive().BucketCounts().FromRaw([]uint64{4})
		}
		dp.SetMin(0.3)
		dp.SetMax(3)
		dp.Attributes().PutInt("i", int64(i))
	}
	s.process(rm)
	got := h.DataPoints().At(1)
	if got.ZeroCount() != 2 || got.ZeroThreshold() != 1 || got.Positive().BucketCounts().At(0) != 5 || got.Count() != 8 || got.Min() != 0.3 || got.HasSum() {
		t.Errorf("%d zeros below %v, %v", got.ZeroCount(), got.ZeroThreshold(), got.Positive().BucketCounts().AsRaw())
	}
}

func TestHistogramsThatDoNotFitAreDroppedAndCounted(t *testing.T) {
	s := newService(t, series.Limits{Series: 1, Folded: 16})
	rm, m := batch("a")
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range 4 {
		dp := h.DataPoints().AppendEmpty()
		dp.Attributes().PutInt("i", int64(i))
		dp.ExplicitBounds().FromRaw(bounds[:max(i, 1)])
		dp.BucketCounts().FromRaw(make([]uint64, max(i, 1)+1))
	}
	rm2, m2 := batch("a")
	e := m2.SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range 6 {
		dp := e.DataPoints().AppendEmpty()
		dp.Attributes().PutInt("i", int64(i))
		if i == 5 {
			dp.SetScale(100)
		}
	}
	if out := s.process(rm); out.Kept != 1 || out.FoldedService != 1 || out.DroppedUnmergeable != 2 {
		t.Errorf("%+v", out)
	}
	if out := s.process(rm2); out.Kept != 0 || out.FoldedService != 2 || out.DroppedFoldedFull != 3 || out.DroppedUnmergeable != 1 {
		t.Errorf("%+v", out)
	}
}
