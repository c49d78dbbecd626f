// SPDX-License-Identifier: Apache-2.0

package series_test

import (
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// FuzzProcess holds the accounts to their balance, whatever is sent.
func FuzzProcess(f *testing.F) {
	add := func(rm pmetric.ResourceMetrics) {
		md := pmetric.NewMetrics()
		rm.CopyTo(md.ResourceMetrics().AppendEmpty())
		b, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(gauge("a", 0, 5))
	for _, temporality := range []pmetric.AggregationTemporality{pmetric.AggregationTemporalityDelta, pmetric.AggregationTemporalityCumulative} {
		sums, m := batch("sum")
		m.SetEmptySum().SetAggregationTemporality(temporality)
		explicits, m2 := batch("explicit")
		m2.SetEmptyHistogram().SetAggregationTemporality(temporality)
		exponentials, m3 := batch("exponential")
		m3.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
		for i := range 4 {
			r := &recorder{id: i, scale: int32(i), values: []float64{0, 1, -3, 1000}}
			dp := m.Sum().DataPoints().AppendEmpty()
			dp.SetDoubleValue(1)
			dp.Attributes().PutInt("id", int64(i))
			r.explicit(m2.Histogram().DataPoints().AppendEmpty(), time.Hour)
			r.exponential(m3.ExponentialHistogram().DataPoints().AppendEmpty(), time.Hour)
		}
		add(sums)
		add(explicits)
		add(exponentials)
	}
	add(farApart(pmetric.AggregationTemporalityDelta))
	add(farApart(pmetric.AggregationTemporalityCumulative))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := series.NewService(series.NewMemory(megabyte), nil)
		defer s.Close()
		thin := series.Thinning{}
		for round := range 6 {
			md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(b)
			if err != nil {
				return
			}
			for _, rm := range md.ResourceMetrics().All() {
				in := points(rm)
				if round > 2 { // some are cut, and others take along what they were
					thin = series.Thinning{Below: 1 << 55, Again: 1 << 53}
				}
				out := s.Process(time.Hour+time.Duration(round)*time.Minute, series.Limits{Series: 2, ValuesPerLabel: 1 + round%3, Folded: 16}, thin, rm)
				if out.In != in || out.In != out.Kept+out.Folded()+out.Dropped() || out.Kept+out.Emitted != points(rm) {
					t.Fatalf("%d points came in, %d go out: %+v", in, points(rm), out)
				}
			}
		}
	})
}
