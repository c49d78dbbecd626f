// SPDX-License-Identifier: Apache-2.0

package series_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// keeping returns the thinning at which a part stays.
func keeping(part float64) series.Thinning {
	return series.Thinning{Below: uint64((1 - part) * (1 << 56))}
}

// thinned runs a batch at a thinning and holds its accounts to the balance.
func (s *service) thinned(thin series.Thinning, rm pmetric.ResourceMetrics) series.Outcome {
	s.t.Helper()
	before := points(rm)
	out := s.Process(s.now, s.limits, thin, rm)
	if out.In != before || out.In != out.Kept+out.Folded()+out.Dropped() || out.Kept+out.Emitted != points(rm) {
		s.t.Fatalf("%d points came in, %d go out: the accounts are %+v", before, points(rm), out)
	}
	return out
}

// cumulative returns a point of each of so many series, at one time.
func cumulative(n int, when pcommon.Timestamp) pmetric.ResourceMetrics {
	rm, m := batch("requests")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range n {
		dp := sum.DataPoints().AppendEmpty()
		dp.SetTimestamp(when)
		dp.SetIntValue(int64(when))
		dp.Attributes().PutStr("series", fmt.Sprint("number-", i))
	}
	return rm
}

// left returns the series of a batch that have a point left.
func left(rm pmetric.ResourceMetrics) (ids []string) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			for _, dp := range m.Sum().DataPoints().All() {
				v, _ := dp.Attributes().Get("series")
				ids = append(ids, v.Str())
			}
		}
	}
	return ids
}

func TestEverySeriesKeepsItsPartSpreadOverTheTime(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute} {
		for _, part := range []float64{0.5, 0.3, 0.1, 0.04} {
			for _, n := range []int{1, 40} {
				t.Run(fmt.Sprintf("every %v %v of %d series", every, part, n), func(t *testing.T) {
					s := newService(t, series.Limits{})
					random := rand.New(rand.NewPCG(1, 2))
					const rounds = 1000
					kept, last, longest := map[string]int{}, map[string]int{}, 0
					for round := range rounds {
						s.now += every
						jitter := time.Duration(random.Int64N(int64(5 * time.Millisecond)))
						rm := cumulative(n, at(s.now+jitter))
						s.thinned(keeping(part), rm)
						for _, id := range left(rm) {
							longest = max(longest, round-last[id])
							kept[id]++
							last[id] = round
						}
					}
					for i := range n {
						id := fmt.Sprint("number-", i)
						if got := float64(kept[id]) / rounds; math.Abs(got/part-1) > 0.1 {
							t.Errorf("%s keeps %v of its points, expected %v", id, got, part)
						}
						longest = max(longest, rounds-last[id])
					}
					if most := 2.5 / part; float64(longest) > most {
						t.Errorf("a series has no point in %d, expected one in %.0f", longest, most)
					}
				})
			}
		}
	}
}

func TestWhatStaysAtAPartStaysAtAGreaterOne(t *testing.T) {
	s := newService(t, series.Limits{})
	for range 100 {
		s.now += 10 * time.Second
		some, more := cumulative(100, at(s.now)), cumulative(100, at(s.now))
		s.thinned(keeping(0.2), some)
		s.thinned(keeping(0.3), more)
		all := left(more)
		for _, id := range left(some) {
			if !slices.Contains(all, id) {
				t.Fatalf("%s has a point at a fifth and none at three tenths", id)
			}
		}
	}
}

// What is expected here is written down, so that it is what every process says.
func TestEveryProcessChoosesTheSamePoints(t *testing.T) {
	s := newService(t, series.Limits{})
	var rounds []int
	for round := range 60 {
		rm := cumulative(1, pcommon.Timestamp(1_700_000_000e9+10e9*round))
		if s.thinned(keeping(0.1), rm); len(left(rm)) == 1 {
			rounds = append(rounds, round)
		}
	}
	if want := []int{2, 11, 16, 25, 39, 48, 53}; !slices.Equal(rounds, want) {
		t.Errorf("the points %v stay, expected %v", rounds, want)
	}
}

func TestPointsOfOneSeriesThatAreCloserThanASlotAreSpreadToo(t *testing.T) {
	s := newService(t, series.Limits{})
	kept := 0
	for range 100 {
		s.now += series.Slot
		rm, m := batch("temperature")
		g := m.SetEmptyGauge()
		for range 50 {
			g.DataPoints().AppendEmpty().SetTimestamp(at(s.now))
		}
		out := s.thinned(keeping(0.1), rm)
		if out.Kept < 3 || out.Kept > 7 {
			t.Fatalf("%d of 50 points stay, expected about 5 of each batch", out.Kept)
		}
		kept += out.Kept
	}
	if kept < 475 || kept > 525 {
		t.Errorf("%d of 5000 points stay, expected 500", kept)
	}
}

func TestAPointWithoutATimeIsJudgedByWhenItComes(t *testing.T) {
	s := newService(t, series.Limits{})
	kept := 0
	for range 1000 {
		s.now += 10 * time.Second
		kept += s.thinned(keeping(0.1), cumulative(1, 0)).Kept
	}
	if kept < 95 || kept > 105 {
		t.Errorf("%d of 1000 points stay, expected 100", kept)
	}
}

func TestTheSecondCutTakesItsPartOfPointsWhoseTimesWereChosen(t *testing.T) {
	s := newService(t, series.Limits{})
	in := 0
	var total series.Outcome
	for in < 10_000 { // of all times those are sent that stay
		s.now += 700 * time.Millisecond
		rm := cumulative(1, at(s.now))
		if s.thinned(keeping(0.1), rm); rm.ScopeMetrics().Len() == 0 {
			continue
		}
		in++
		out := s.thinned(series.Thinning{Below: keeping(0.1).Below, Again: keeping(0.25).Below}, rm)
		total.Kept += out.Kept
		total.DroppedSkewed += out.DroppedSkewed
		total.Passed += out.Passed
	}
	if total.Passed != in || total.Kept < 2300 || total.Kept > 2700 || total.Kept+total.DroppedSkewed != in {
		t.Errorf("%+v of %d, expected a quarter to stay", total, in)
	}
}

func TestAMetricOfWhichNoPointStaysGoes(t *testing.T) {
	s := newService(t, series.Limits{})
	rm := cumulative(10, 1)
	if s.thinned(series.Thinning{Below: 1 << 56}, rm); rm.ScopeMetrics().Len() != 0 {
		t.Error("a metric without points is left")
	}
}

func TestASeriesThatIsThinnedBeyondTheWindowStaysActive(t *testing.T) {
	s := newService(t, series.Limits{Series: 10, Window: 10 * time.Minute})
	s.process(cumulative(10, at(s.now)))
	for range 120 { // two hours, in which each has about one point left
		s.now += time.Minute
		s.thinned(keeping(0.01), cumulative(10, at(s.now)))
		if s.Active() != 10 {
			t.Fatalf("%d series are active, expected 10", s.Active())
		}
	}
}

func TestFoldedSeriesAddUpWhenTheyAreThinned(t *testing.T) {
	const began = 1_600_000_000e9
	s := newService(t, series.Limits{Series: 1, Window: 10 * time.Minute})
	send := func(thin series.Thinning, value int64) (n int64) {
		s.process(gauge("first", 0, 1)) // has the room
		rm := cumulative(20, at(s.now))
		points := rm.ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints()
		for _, dp := range points.All() {
			dp.SetStartTimestamp(began)
			dp.SetIntValue(value)
		}
		if s.thinned(thin, rm); points.Len() > 0 {
			n = points.At(0).IntValue()
		}
		return n
	}
	send(keeping(0.3), 1_000_000) // of long before: it does not count
	value := int64(1_000_000)
	for range 300 {
		s.now += time.Minute
		value++
		send(keeping(0.02), value)
	}
	s.now += time.Minute
	if got := send(series.Thinning{}, value); got > 20*300 {
		t.Errorf("the series into which 20 are folded grew by %d, expected at most by 300 each", got)
	}
}

// A number that takes along what was cut is written anew, for which pdata allocates it.
func TestThinningCostsNoAllocationButForNumbersThatTakeAlong(t *testing.T) {
	for name, fill := range map[string]func(pmetric.Metric){
		"gauges": func(m pmetric.Metric) {
			g := m.SetEmptyGauge()
			for i := range 100 {
				g.DataPoints().AppendEmpty().Attributes().PutInt("i", int64(i))
			}
		},
		"deltas": func(m pmetric.Metric) {
			sum := m.SetEmptySum()
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			for i := range 100 {
				dp := sum.DataPoints().AppendEmpty()
				dp.SetIntValue(1)
				dp.Attributes().PutInt("i", int64(i))
			}
		},
		"histograms of deltas": func(m pmetric.Metric) {
			h := m.SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			for i := range 100 {
				r := &recorder{id: i, values: []float64{1, 2, 3}}
				r.explicit(h.DataPoints().AppendEmpty(), time.Hour)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, series.Limits{})
			const runs = 50
			var batches []pmetric.ResourceMetrics
			for range 4 * runs {
				rm, m := batch("requests")
				fill(m)
				batches = append(batches, rm)
			}
			next := func() {
				s.now += time.Second
				s.Process(s.now, s.limits, keeping(0.1), batches[0])
				batches = batches[1:]
			}
			for range 2 * runs { // each series was cut once
				next()
			}
			most := 0.0
			if name == "deltas" {
				most = 15 // points that stay
			}
			if n := testing.AllocsPerRun(runs, next); n > most {
				t.Errorf("%v allocations a batch of 100 points, expected %v at most", n, most)
			}
		})
	}
}
