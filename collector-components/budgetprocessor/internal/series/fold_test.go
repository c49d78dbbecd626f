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

// at is the Unix time of a test's clock.
func at(now time.Duration) pcommon.Timestamp { return pcommon.Timestamp(1_700_000_000e9 + int64(now)) }

// counter is a cumulative series of a process.
type counter struct {
	id    int
	start pcommon.Timestamp
	value int64
}

// export makes a batch of cumulative counters.
func export(now time.Duration, monotonic bool, counters []*counter) (pmetric.ResourceMetrics, pmetric.NumberDataPointSlice) {
	rm, m := batch("requests")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(monotonic)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for _, c := range counters {
		dp := sum.DataPoints().AppendEmpty()
		dp.SetStartTimestamp(c.start)
		dp.SetTimestamp(at(now))
		dp.SetIntValue(c.value)
		dp.Attributes().PutInt("id", int64(c.id))
	}
	return rm, sum.DataPoints()
}

func TestCumulativeSumsThatAreFoldedAddUpToWhatTheirSeriesGrewBy(t *testing.T) {
	s := newService(t, series.Limits{Series: 20})
	random := rand.New(rand.NewPCG(1, 2))
	processStart := at(s.now)
	var counters []*counter
	for i := range 20 {
		counters = append(counters, &counter{id: i, start: processStart})
	}
	first, _ := export(s.now, true, counters)
	s.process(first)
	var folded, out int64 // what was added to folded series, and what the overflow series says
	var start, last pcommon.Timestamp
	for round := range 200 {
		s.now += 10 * time.Second
		for range random.IntN(3) { // as SDKs do it, with the start of the process
			counters = append(counters, &counter{id: len(counters), start: processStart})
		}
		for _, c := range counters {
			n := int64(random.IntN(100))
			if c.id >= 20 && random.IntN(50) == 0 { // begins again
				c.value, c.start = 0, at(s.now-time.Second)
			}
			c.value += n
			if c.id >= 20 {
				folded += n
			}
		}
		rm, points := export(s.now, true, counters)
		s.process(rm)
		if len(counters) > 20 {
			dp := points.At(points.Len() - 1)
			if !overflow(dp.Attributes()) {
				t.Fatal("there is no overflow series")
			}
			if out > 0 && (dp.IntValue() < out || dp.StartTimestamp() != start || dp.Timestamp() <= last) {
				t.Fatalf("the overflow series went from %d at %d to %d at %d, begun at %d and %d", out, last, dp.IntValue(), dp.Timestamp(), start, dp.StartTimestamp())
			}
			out, start, last = dp.IntValue(), dp.StartTimestamp(), dp.Timestamp()
			if start < processStart || start >= last {
				t.Fatalf("it begins at %d and is from %d", start, last)
			}
		}
		if out != folded {
			t.Fatalf("in round %d the overflow series says %d, expected %d", round, out, folded)
		}
		if round%10 == 9 { // what comes late does not count
			late, points := export(s.now-15*time.Second, true, []*counter{{id: 20, start: processStart, value: 1}})
			s.process(late)
			if got := points.At(0).IntValue(); got != folded {
				t.Fatalf("the overflow series says %d after a late point, expected %d", got, folded)
			}
		}
	}
	t.Logf("%d series of which 20 are their own, %d B", len(counters), s.Bytes())
}

func TestSeriesOfAResourceThatIsNewCountFromTheirSecondValue(t *testing.T) {
	s := newService(t, series.Limits{Series: 1})
	began := at(s.now - 24*time.Hour) // the processes are older than the collector
	counters := []*counter{{0, began, 5}, {1, began, 1000}, {2, began, 2000}, {3, at(s.now), 7}}
	rm, points := export(s.now, true, counters)
	s.process(rm)
	if got := points.At(1).IntValue(); got != 7 {
		t.Errorf("the overflow series begins with %d, expected 7 of the series that began just now", got)
	}
	counters[1].value += 10
	counters[2].value += 20
	s.now += time.Minute
	rm, points = export(s.now, true, counters)
	s.process(rm)
	if got := points.At(1).IntValue(); got != 37 {
		t.Errorf("the overflow series says %d, expected 37", got)
	}
}

func TestASumThatIsNotMonotonicIsTheSumOfTheLastValues(t *testing.T) {
	s := newService(t, series.Limits{Series: 1})
	counters := []*counter{{0, 1, 5}, {1, 1, 100}, {2, 1, 50}}
	for _, change := range []int64{0, -30, 15} {
		counters[1].value += change
		s.now += time.Minute
		rm, points := export(s.now, false, counters)
		s.process(rm)
		if got, want := points.At(1).IntValue(), counters[1].value+counters[2].value; got != want {
			t.Errorf("the overflow series says %d, expected %d", got, want)
		}
	}
}

func TestPointsBeyondTheTableOfLastValuesAreDroppedAndCounted(t *testing.T) {
	s := newService(t, series.Limits{Series: 10, Folded: 50})
	var counters []*counter
	for i := range 100 {
		counters = append(counters, &counter{id: i, start: 1, value: 1})
	}
	for range 3 {
		rm, _ := export(s.now, true, counters)
		if out := s.process(rm); out.Kept != 10 || out.FoldedService != 50 || out.DroppedFoldedFull != 40 {
			t.Fatalf("%+v", out)
		}
		s.now += time.Minute
	}
	rm, _ := export(s.now+time.Hour, true, counters[60:]) // others, when those are forgotten
	s.now += time.Hour
	if out := s.process(rm); out.Kept != 10 || out.FoldedService != 30 {
		t.Errorf("%+v", out)
	}
}

func TestNumbersStayIntegersWhileTheyCan(t *testing.T) {
	s := newService(t, series.Limits{Series: 1})
	rm, m := batch("a")
	sum := m.SetEmptySum()
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	add := func(set func(pmetric.NumberDataPoint)) {
		dp := sum.DataPoints().AppendEmpty()
		dp.Attributes().PutInt("i", int64(sum.DataPoints().Len()))
		dp.SetStartTimestamp(pcommon.Timestamp(10 + sum.DataPoints().Len()))
		dp.SetTimestamp(pcommon.Timestamp(20 + sum.DataPoints().Len()))
		set(dp)
	}
	add(func(dp pmetric.NumberDataPoint) { dp.SetIntValue(1) })
	for range 2 {
		add(func(dp pmetric.NumberDataPoint) { dp.SetIntValue(math.MaxInt64 / 4) })
	}
	add(func(dp pmetric.NumberDataPoint) { dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true)) })
	out := s.process(rm)
	dp := sum.DataPoints().At(1)
	if dp.IntValue() != math.MaxInt64/4*2 || dp.StartTimestamp() != 12 || dp.Timestamp() != 23 || out.FoldedService != 3 {
		t.Errorf("%d from %d to %d, %+v", dp.IntValue(), dp.StartTimestamp(), dp.Timestamp(), out)
	}
	add(func(dp pmetric.NumberDataPoint) { dp.SetDoubleValue(0.5) })
	add(func(dp pmetric.NumberDataPoint) { dp.SetDoubleValue(math.NaN()) })
	out = s.process(rm)
	if dp := sum.DataPoints().At(1); dp.DoubleValue() != float64(math.MaxInt64/4*2)+0.5 || out.DroppedUnmergeable != 1 {
		t.Errorf("%v, %+v", dp.DoubleValue(), out)
	}
}

func TestASummaryCannotBeFolded(t *testing.T) {
	s := newService(t, series.Limits{Series: 2})
	rm, m := batch("a")
	for i := range 5 {
		m2 := m
		if i == 0 {
			m2.SetEmptySummary()
		}
		m.Summary().DataPoints().AppendEmpty().Attributes().PutInt("i", int64(i))
	}
	if out := s.process(rm); out.Kept != 2 || out.DroppedUnmergeable != 3 {
		t.Errorf("%+v", out)
	}
}

func TestResourcesWithoutEndDoNotMakeOverflowSeriesWithoutEnd(t *testing.T) {
	s := newService(t, series.Limits{Series: 1000})
	emitted, dropped := 0, 0
	for i := range 2000 {
		rm := gauge("a", 0, 3)
		rm.Resource().Attributes().PutStr("service.instance.id", fmt.Sprint(i))
		out := s.process(rm)
		emitted += out.Emitted
		dropped += out.Dropped()
	}
	if emitted != 100 || dropped == 0 || s.Active() != 1000 {
		t.Errorf("%d overflow series of %d, %d points dropped; expected a tenth of the limit", emitted, s.Active(), dropped)
	}
}

func TestAnOverflowSeriesOfAnSDKIsOneWithOurs(t *testing.T) {
	s := newService(t, series.Limits{Series: 1})
	send := func(sdk int64, other int64) int64 {
		s.now += time.Minute
		rm, points := export(s.now, true, []*counter{{0, 1, 1}, {1, 1, other}, {2, 1, sdk}})
		points.At(2).Attributes().Clear()
		points.At(2).Attributes().PutBool("otel.metric.overflow", true)
		s.process(rm)
		if points.Len() != 2 || !overflow(points.At(1).Attributes()) {
			t.Fatalf("%d points, expected the first series and one overflow series", points.Len())
		}
		return points.At(1).IntValue()
	}
	first := send(100, 10)
	if grown := send(103, 14) - first; grown != 7 {
		t.Errorf("it grew by %d, expected 7", grown)
	}
}
