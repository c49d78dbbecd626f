// SPDX-License-Identifier: Apache-2.0

package series_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// farApart returns exponential histograms whose buckets are the lowest and the highest
// that are admitted: what lies between them is more than an int32 holds.
func farApart(temporality pmetric.AggregationTemporality) pmetric.ResourceMetrics {
	rm, m := batch("exponential")
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(temporality)
	for i, offset := range []int32{0, 0, -1 << 30, 1<<30 - 1, -1 << 30} {
		dp := h.DataPoints().AppendEmpty()
		dp.Attributes().PutInt("i", int64(i))
		dp.SetScale(-11)
		dp.SetCount(1)
		dp.SetStartTimestamp(at(time.Hour))
		dp.SetTimestamp(at(time.Hour))
		dp.Positive().SetOffset(offset)
		dp.Positive().BucketCounts().FromRaw([]uint64{1})
	}
	return rm
}

func TestExponentialHistogramsAreNotMergedWhoseBucketsLieTooFarApart(t *testing.T) {
	s := newService(t, series.Limits{Series: 2})
	if out := s.process(farApart(pmetric.AggregationTemporalityDelta)); out.DroppedUnmergeable != 1 || out.FoldedService != 2 {
		t.Errorf("%+v, expected the highest bucket not to be merged with the lowest", out)
	}
}

func TestHistogramsAreNotKeptThatHaveTooManyBoundsOrNotOneCountMore(t *testing.T) {
	s := newService(t, series.Limits{Series: 1})
	s.process(gauge("a", 0, 1))
	for what, size := range map[string][2]int{"many bounds without counts": {500_000, 0}, "counts of other bounds": {4, 4}, "counts without bounds": {0, 3}} {
		rm, m := batch("latency")
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		dp := h.DataPoints().AppendEmpty()
		dp.ExplicitBounds().FromRaw(make([]float64, size[0]))
		dp.BucketCounts().FromRaw(make([]uint64, size[1]))
		if out := s.process(rm); out.DroppedUnmergeable != 1 {
			t.Errorf("%s: %+v", what, out)
		}
	}
}

func TestWhatAFoldedSeriesKeepsOfItsAttributesIsAccountedAndBounded(t *testing.T) {
	s := newService(t, series.Limits{ValuesPerLabel: 1})
	send := func(size int) (pmetric.Metric, int) {
		before := s.memory.Used()
		rm, m := batch("requests")
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for user := range 3 {
			dp := sum.DataPoints().AppendEmpty()
			dp.SetIntValue(1)
			dp.Attributes().PutInt("user", int64(user))
			dp.Attributes().PutEmptySlice(fmt.Sprint("long", size)).AppendEmpty().SetStr(strings.Repeat("x", size))
		}
		s.process(rm)
		return m, int(s.memory.Used() - before)
	}
	send(1)
	send(2)
	m, took := send(3000)
	if v, ok := m.Sum().DataPoints().At(1).Attributes().Get("user"); !ok || v.Str() != "_other" || took < 3000 {
		t.Errorf("a series of 3000 bytes took %d: %v", took, m.Sum().DataPoints().At(1).Attributes().AsRaw())
	}
	m, took = send(1 << 20)
	if !overflow(m.Sum().DataPoints().At(m.Sum().DataPoints().Len()-1).Attributes()) || took > 64<<10 {
		t.Errorf("a series of a megabyte took %d, and is not folded into the overflow series", took)
	}
}
