// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
)

// seriesOf returns a cumulative point, or a delta of 1, of each of so many series, as of
// now.
func seriesOf(service string, n int, temporality pmetric.AggregationTemporality) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", service)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("requests")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(temporality)
	now := time.Now()
	for i := range n {
		dp := sum.DataPoints().AppendEmpty()
		dp.SetTimestamp(pcommon.NewTimestampFromTime(now))
		dp.SetIntValue(1)
		if temporality == pmetric.AggregationTemporalityCumulative {
			dp.SetIntValue(now.Unix())
		}
		dp.Attributes().PutInt("series", int64(i))
	}
	return md
}

// arrived is what came out of a series.
type arrived struct {
	points  int
	sum     int64
	last    time.Time
	longest time.Duration // without a point
}

// bySeries tells what came out of a service.
func bySeries(p *pipelines, name string, from time.Time) map[int64]*arrived {
	out := make(map[int64]*arrived)
	for _, md := range p.gotMetrics.AllMetrics() {
		if service(md.ResourceMetrics().At(0).Resource()) != name {
			continue
		}
		for _, dp := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().All() {
			id, _ := dp.Attributes().Get("series")
			a := out[id.Int()]
			if a == nil {
				a = &arrived{last: from}
				out[id.Int()] = a
			}
			at := dp.Timestamp().AsTime()
			a.points++
			a.sum += dp.IntValue()
			a.longest = max(a.longest, at.Sub(a.last))
			a.last = at
		}
	}
	return out
}

func TestEverySeriesOfAServiceAtTenTimesItsPointsKeepsATenthOfThemSpreadOverTheTime(t *testing.T) {
	for _, test := range []struct {
		series int
		every  time.Duration
		budget float64
	}{
		{1, 100 * time.Millisecond, 1},
		{1, time.Second, 0.1},
		{50, 100 * time.Millisecond, 50},
		{50, time.Second, 5},
		{500, 10 * time.Second, 5},
		{2000, time.Minute, 2000. / 600},
	} {
		t.Run(fmt.Sprintf("%d series every %v", test.series, test.every), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := defaultConfig()
				cfg.Budgets.Services = map[string]Limits{"noisy": {DataPointsPerSecond: &test.budget}}
				p := start(t, cfg, processortest.NewNopSettings(typ))
				defer p.stop(t)
				send := func(n int) {
					for range n {
						for _, name := range []string{"noisy", "quiet"} {
							if err := p.metrics.ConsumeMetrics(t.Context(), seriesOf(name, test.series, pmetric.AggregationTemporalityCumulative)); err != nil {
								t.Fatal(err)
							}
						}
						time.Sleep(test.every)
					}
				}
				send(200) // what was saved is spent
				p.gotMetrics.Reset()
				const rounds = 600
				began := time.Now()
				send(rounds)

				quiet := 0
				for _, a := range bySeries(p, "quiet", began) {
					quiet += a.points
				}
				if quiet != rounds*test.series {
					t.Errorf("%d of %d points of a service without a budget are left", quiet, rounds*test.series)
				}
				total, longest := 0, time.Duration(0)
				got := bySeries(p, "noisy", began)
				for i := range test.series {
					a := got[int64(i)]
					if a == nil {
						t.Fatalf("nothing is left of series %d", i)
					}
					total += a.points
					longest = max(longest, a.longest, time.Since(a.last))
					if part := float64(a.points) / rounds; part < 0.08 || part > 0.12 {
						t.Errorf("series %d keeps %.3f of its points, expected a tenth", i, part)
					}
				}
				t.Logf("%.3f of the budget, %v at most without a point of a series", float64(total)/(rounds/10)/float64(test.series), longest)
				if ratio := float64(total) / (rounds / 10) / float64(test.series); math.Abs(ratio-1) > 0.05 {
					t.Errorf("%.3f of the budget is kept, expected 1 within 0.05", ratio)
				}
				if longest > 50*test.every {
					t.Errorf("a series has no point for %v, expected one each %v", longest, 10*test.every)
				}
			})
		})
	}
}

func TestDeltasOfAServiceOverItsPointsAddUpToWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Defaults = Limits{DataPointsPerSecond: of(2.)}
		p := start(t, cfg, processortest.NewNopSettings(typ))
		defer p.stop(t)
		began := time.Now()
		const rounds = 600
		during(rounds/10*time.Second, func() {
			if err := p.metrics.ConsumeMetrics(t.Context(), seriesOf("orders", 2, pmetric.AggregationTemporalityDelta)); err != nil {
				t.Fatal(err)
			}
		})
		for id, a := range bySeries(p, "orders", began) {
			if owed := rounds - a.sum; owed < 0 || owed > 50 {
				t.Errorf("series %d adds up to %d of %d in %d points, expected all but those since the last", id, a.sum, rounds, a.points)
			}
			if a.points > rounds/5 {
				t.Errorf("%d of %d points of series %d are left", a.points, rounds, id)
			}
		}
	})
}

func TestASecondBudgetBehindTheFirstCutsNoMorePoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Defaults.DataPointsPerSecond = of(200.)
		first := start(t, cfg, processortest.NewNopSettings(typ))
		defer first.stop(t)
		behind := *cfg
		behind.MaxServices-- // another configuration, and so a ledger of its own
		second := start(t, &behind, processortest.NewNopSettings(typ))
		defer second.stop(t)
		during(60*time.Second, func() {
			first.gotMetrics.Reset()
			if err := first.metrics.ConsumeMetrics(t.Context(), seriesOf("orders", 200, pmetric.AggregationTemporalityCumulative)); err != nil {
				t.Fatal(err)
			}
			for _, md := range first.gotMetrics.AllMetrics() {
				if err := second.metrics.ConsumeMetrics(t.Context(), md); err != nil {
					t.Fatal(err)
				}
			}
		})
		if got := float64(second.gotMetrics.DataPointCount()) / (60 * 200); math.Abs(got-1) > 0.07 {
			t.Errorf("%.3f of the budget is left behind the second, expected 1", got)
		}
	})
}

func TestWhoSendsOnlyPointsThatStayIsCutAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Defaults.DataPointsPerSecond = of(200.)
		// The budget of another process tells the sender which points stay.
		known := start(t, cfg, processortest.NewNopSettings(typ))
		defer known.stop(t)
		mine := *cfg
		mine.MaxServices-- // a ledger of its own
		p := start(t, &mine, processortest.NewNopSettings(typ))
		defer p.stop(t)
		minute := func() float64 {
			p.gotMetrics.Reset()
			during(time.Minute, func() {
				known.gotMetrics.Reset()
				if err := known.metrics.ConsumeMetrics(t.Context(), seriesOf("orders", 2000, pmetric.AggregationTemporalityCumulative)); err != nil {
					t.Fatal(err)
				}
				for _, md := range known.gotMetrics.AllMetrics() { // a hundredth, and all of it ten times
					for range 10 {
						again := pmetric.NewMetrics()
						md.CopyTo(again)
						if err := p.metrics.ConsumeMetrics(t.Context(), again); err != nil {
							t.Fatal(err)
						}
					}
				}
			})
			return float64(p.gotMetrics.DataPointCount()) / (60 * 200)
		}
		first, then := minute(), minute()
		t.Logf("%.3f of the budget in the first minute, %.3f in the second", first, then)
		if first > 1.25 || math.Abs(then-1) > 0.1 {
			t.Errorf("%.3f of the budget is kept in the first minute, %.3f in the second, expected 1", first, then)
		}
	})
}
