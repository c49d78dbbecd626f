// SPDX-License-Identifier: Apache-2.0

package series_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// deltas returns a batch with a point of each of so many series, that lasts from start
// to end.
func deltas(n int, start, end time.Duration, value func(i int) float64) (pmetric.ResourceMetrics, pmetric.NumberDataPointSlice) {
	rm, m := batch("requests")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range n {
		dp := sum.DataPoints().AppendEmpty()
		dp.SetStartTimestamp(at(start))
		dp.SetTimestamp(at(end))
		if v := value(i); v == math.Trunc(v) && i%2 == 0 {
			dp.SetIntValue(int64(v))
		} else {
			dp.SetDoubleValue(v)
		}
		dp.Attributes().PutStr("series", fmt.Sprint("number-", i))
	}
	return rm, sum.DataPoints()
}

func valueOf(dp pmetric.NumberDataPoint) float64 {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(dp.IntValue())
	}
	return dp.DoubleValue()
}

func TestDeltasThatAreCutAreInTheNextPointOfTheirSeries(t *testing.T) {
	s := newService(t, series.Limits{})
	random := rand.New(rand.NewPCG(1, 2))
	const n = 50
	var sent, got [n]float64
	var until [n]pcommon.Timestamp
	for i := range until {
		until[i] = at(s.now)
	}
	kept := 0
	for round := range 300 {
		thin := keeping(0.1)
		if round == 299 {
			thin = series.Thinning{} // within the budget again: all that is owed goes out
		}
		before := s.now
		s.now += 10 * time.Second
		rm, points := deltas(n, before, s.now, func(i int) float64 {
			v := float64(random.IntN(100))
			sent[i] += v
			return v
		})
		out := s.thinned(thin, rm)
		kept += out.Kept
		if out.DroppedUncarried+out.DroppedSkewed != 0 {
			t.Fatalf("%+v", out)
		}
		for _, dp := range points.All() {
			v, _ := dp.Attributes().Get("series")
			var i int
			if _, err := fmt.Sscanf(v.Str(), "number-%d", &i); err != nil {
				t.Fatal(err)
			}
			got[i] += valueOf(dp)
			if dp.StartTimestamp() != until[i] {
				t.Fatalf("a point of series %d begins at %d, expected where the one before ends, at %d", i, dp.StartTimestamp(), until[i])
			}
			until[i] = dp.Timestamp()
		}
	}
	if got != sent {
		t.Errorf("the series add up to %v, expected %v", got, sent)
	}
	if kept > n*300/8 {
		t.Errorf("%d of %d points stay", kept, n*300)
	}
}

func TestHistogramsOfDeltasThatAreCutAreInTheNextPointOfTheirSeries(t *testing.T) {
	for _, exponential := range []bool{false, true} {
		t.Run(fmt.Sprint("exponential ", exponential), func(t *testing.T) {
			s := newService(t, series.Limits{})
			random := rand.New(rand.NewPCG(1, 2))
			const n = 10
			var count, sum, gotCount, gotSum, gotBuckets float64
			for round := range 200 {
				s.now += 10 * time.Second
				rm, m := batch("latency")
				var explicits pmetric.HistogramDataPointSlice
				var exponentials pmetric.ExponentialHistogramDataPointSlice
				if exponential {
					m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
					exponentials = m.ExponentialHistogram().DataPoints()
				} else {
					m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
					explicits = m.Histogram().DataPoints()
				}
				for i := range n {
					r := &recorder{id: i, scale: int32(3 + random.IntN(2))}
					for range random.IntN(5) {
						v := 1 + 1000*random.Float64()
						r.values = append(r.values, v)
						count++
						sum += v
					}
					if exponential {
						r.exponential(exponentials.AppendEmpty(), s.now)
					} else {
						r.explicit(explicits.AppendEmpty(), s.now)
					}
				}
				thin := keeping(0.2)
				if round == 199 {
					thin = series.Thinning{} // within the budget again
				}
				if out := s.thinned(thin, rm); out.DroppedUncarried != 0 {
					t.Fatalf("%+v", out)
				}
				add := func(c uint64, s float64, buckets []uint64) {
					gotCount += float64(c)
					gotSum += s
					for _, b := range buckets {
						gotBuckets += float64(b)
					}
				}
				if exponential {
					for _, dp := range exponentials.All() {
						add(dp.Count(), dp.Sum(), dp.Positive().BucketCounts().AsRaw())
					}
				} else {
					for _, dp := range explicits.All() {
						add(dp.Count(), dp.Sum(), dp.BucketCounts().AsRaw())
					}
				}
			}
			if gotCount != count || gotBuckets != count || math.Abs(gotSum/sum-1) > 1e-9 {
				t.Errorf("%v values, %v in buckets, with the sum %v; expected %v with %v", gotCount, gotBuckets, gotSum, count, sum)
			}
		})
	}
}

func TestAHistogramThatTakesAlongWhatWasCutHasTheRangeOfBoth(t *testing.T) {
	s := newService(t, series.Limits{})
	send := func(thin series.Thinning, low, high float64, withRange bool) pmetric.HistogramDataPointSlice {
		rm, m := batch("latency")
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		points := h.DataPoints()
		dp := points.AppendEmpty()
		(&recorder{values: []float64{low, high}}).explicit(dp, s.now)
		if withRange {
			dp.SetMin(low)
			dp.SetMax(high)
		}
		s.thinned(thin, rm)
		return points
	}
	all := series.Thinning{Below: 1 << 56}
	send(all, 3, 5, true)
	send(all, 4, 90, true)
	if dp := send(series.Thinning{}, 2, 6, true).At(0); dp.Count() != 6 || dp.Min() != 2 || dp.Max() != 90 {
		t.Errorf("%d values from %v to %v, expected 6 from 2 to 90", dp.Count(), dp.Min(), dp.Max())
	}
	send(all, 1, 5, false)
	if dp := send(series.Thinning{}, 2, 6, true).At(0); dp.Count() != 4 || dp.HasMin() || dp.HasMax() {
		t.Errorf("%d values with a range, expected none: it is not known of all", dp.Count())
	}
}

func TestADeltaThatCannotBeCarriedIsCounted(t *testing.T) {
	all := series.Thinning{Below: 1 << 56}
	s := newService(t, series.Limits{Folded: 48})
	rm, points := deltas(100, s.now, s.now, func(int) float64 { return 1 })
	points.At(0).SetDoubleValue(math.NaN())
	if out := s.thinned(all, rm); out.DroppedRate != 48 || out.DroppedUncarried != 52 {
		t.Errorf("%+v, expected 48 to be carried: there is room for no more", out)
	}
	rm, _ = deltas(100, s.now, s.now, func(int) float64 { return 1 })
	if out := s.thinned(all, rm); out.DroppedRate != 48 || out.DroppedUncarried != 52 {
		t.Errorf("%+v, expected the same 48", out)
	}
}

func TestWhatIsCarriedIsForgottenWithItsSeries(t *testing.T) {
	all := series.Thinning{Below: 1 << 56}
	s := newService(t, series.Limits{Window: 10 * time.Minute})
	rm, _ := deltas(10, s.now, s.now, func(int) float64 { return 1 })
	s.thinned(all, rm)
	hm, m := batch("latency")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range 100 {
		(&recorder{id: i, values: []float64{1}}).explicit(m.Histogram().DataPoints().AppendEmpty(), s.now)
	}
	s.thinned(all, hm)
	took := s.memory.Used()
	s.now += time.Hour
	s.process(gauge("a", 0, 1))
	if used := s.memory.Used(); used > took-100*256 {
		t.Errorf("%d bytes are taken, %d before: histograms are still carried", used, took)
	}
	rm, points := deltas(10, s.now, s.now, func(int) float64 { return 1 })
	s.process(rm)
	for _, dp := range points.All() {
		if valueOf(dp) != 1 {
			t.Fatalf("a point says %v after an hour, expected what it came with", valueOf(dp))
		}
	}
}

func TestADeltaTakesAlongWhatWasCutIntoTheSeriesItIsFoldedInto(t *testing.T) {
	s := newService(t, series.Limits{Series: 2})
	s.process(gauge("a", 0, 2))
	rm, _ := deltas(10, s.now, s.now, func(int) float64 { return 1 })
	s.thinned(series.Thinning{Below: 1 << 56}, rm)
	rm, points := deltas(10, s.now, s.now, func(int) float64 { return 1 })
	if out := s.process(rm); out.FoldedService != 10 || points.Len() != 1 || valueOf(points.At(0)) != 20 {
		t.Errorf("%+v, and %d points with %v, expected one with 20", out, points.Len(), valueOf(points.At(0)))
	}
}
