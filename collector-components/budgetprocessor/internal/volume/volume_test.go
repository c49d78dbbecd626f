// SPDX-License-Identifier: Apache-2.0

package volume_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/volume"
)

// source sends amounts at an even pace in batches, each kept with the given spread of
// chance, and tells what was kept in each second.
type source struct {
	meter  volume.Meter
	budget volume.Budget
	random *rand.Rand
	now    time.Duration
	kept   []float64 // by second
}

func newSource(perSecond float64) *source {
	return &source{budget: volume.Budget{PerSecond: perSecond}, random: rand.New(rand.NewPCG(3, 4))}
}

// run sends for a time, a batch of so many items at each interval, sampled before us
// at a ratio. clump items are kept or cut together.
func (s *source) run(length, interval time.Duration, items, clump int, came float64) {
	for end := s.now + length; s.now < end; s.now += interval {
		var d volume.Demand
		d.Add(float64(items), came)
		p := s.meter.Ask(s.now, s.budget, &d)
		kept := 0
		for i := 0; i < items; i += clump {
			if s.random.Float64() < min(1, p/came) {
				kept += min(clump, items-i)
			}
		}
		s.meter.Spend(float64(kept))
		for second := int(s.now / time.Second); len(s.kept) <= second; {
			s.kept = append(s.kept, 0)
		}
		s.kept[int(s.now/time.Second)] += float64(kept)
	}
}

// sum returns what was kept from one second to another.
func (s *source) sum(from, to int) (sum float64) {
	for _, k := range s.kept[from:to] {
		sum += k
	}
	return sum
}

func TestTenTimesTheBudgetIsCutToWithin5PercentOver60Seconds(t *testing.T) {
	for name, test := range map[string]struct {
		interval     time.Duration
		items, clump int
		came         float64
		edge         float64 // of the budget: what one batch more or less is of a minute
	}{
		"single spans, ten batches a second":    {100 * time.Millisecond, 1000, 1, 1, 0},
		"traces of 20 spans":                    {100 * time.Millisecond, 1000, 20, 1, 0},
		"a hundred small batches a second":      {10 * time.Millisecond, 100, 5, 1, 0},
		"one batch a second":                    {time.Second, 10_000, 10, 1, 0},
		"one batch in five seconds, of an SDK":  {5 * time.Second, 50_000, 10, 1, 1. / 12},
		"already sampled to a half":             {100 * time.Millisecond, 1000, 1, 0.5, 0},
		"already sampled to less than we would": {100 * time.Millisecond, 1000, 1, 0.125, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(1000)
			s.run(30*time.Second, 100*time.Millisecond, 50, 1, 1) // half of the budget
			if got := s.sum(0, 30); got != 30*500 {
				t.Fatalf("%v of 15000 were kept below the budget", got)
			}
			s.run(120*time.Second, test.interval, test.items, test.clump, test.came)
			first, then := s.sum(30, 90)/60_000, s.sum(90, 150)/60_000
			t.Logf("kept %.1f %% of the budget in the first minute, %.1f %% in the second; %.0f in the first second", 100*first, 100*then, s.kept[30])
			for _, ratio := range []float64{first, then} {
				if math.Abs(ratio-1) > 0.05+test.edge {
					t.Errorf("kept %.3f of the budget, expected 1 within %.2f", ratio, 0.05+test.edge)
				}
			}
		})
	}
}

func TestAServiceWithinItsBudgetIsNotTouched(t *testing.T) {
	for name, interval := range map[string]time.Duration{
		"steady": 50 * time.Millisecond, "every 5 s": 5 * time.Second, "every 60 s": time.Minute,
	} {
		s := newSource(1000)
		items := int(900 * interval.Seconds())
		s.meter.Ask(0, s.budget, &volume.Demand{}) // it was known before
		s.now = interval
		s.run(20*time.Minute, interval, items, 1, 1)
		if want := float64(items) * math.Ceil((20*time.Minute).Seconds()/interval.Seconds()); s.sum(0, len(s.kept)) != want {
			t.Errorf("%s: %v of %v were kept at nine tenths of the budget", name, s.sum(0, len(s.kept)), want)
		}
	}
}

func TestABudgetOfLessThanOneInTheBurstIsUsed(t *testing.T) {
	s := newSource(0.1)
	s.run(time.Hour, time.Second, 1, 1, 1)
	if got := s.sum(600, 3600) / 300; math.Abs(got-1) > 0.05 {
		t.Errorf("kept %.3f of a budget of one in 10 s, expected 1 within 0.05", got)
	}
}

func TestABurstEndsAndTheServiceIsFreeAgain(t *testing.T) {
	s := newSource(1000)
	s.run(30*time.Second, 100*time.Millisecond, 1000, 1, 1)
	s.run(30*time.Second, 100*time.Millisecond, 80, 1, 1)
	if got := s.sum(35, 60); got != 25*800 {
		t.Errorf("%v of 20000 were kept from 5 s after the burst", got)
	}
}

func TestAnotherBudgetIsInForceAtOnce(t *testing.T) {
	s := newSource(0)
	s.run(10*time.Second, 100*time.Millisecond, 1000, 1, 1)
	if s.sum(0, 10) != 100_000 {
		t.Error("0 is no limit")
	}
	s.budget.PerSecond = 1000
	s.run(60*time.Second, 100*time.Millisecond, 1000, 1, 1)
	s.budget.PerSecond = 4000
	s.run(60*time.Second, 100*time.Millisecond, 1000, 1, 1)
	first, then := s.sum(10, 70)/60_000, s.sum(70, 130)/240_000
	if math.Abs(first-1) > 0.05 || math.Abs(then-1) > 0.05 {
		t.Errorf("kept %.3f and then %.3f of the budgets", first, then)
	}
	if rate := s.meter.Rate(s.now); math.Abs(rate-10_000) > 300 {
		t.Errorf("the demand is %.0f, expected 10000", rate)
	}
	if rate := s.meter.Rate(s.now + time.Minute); rate > 1 {
		t.Errorf("the demand is %.0f after a minute of silence", rate)
	}
}

func TestARatioKeepsWhatItSays(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		var d volume.Demand
		for range random.IntN(20) {
			d.Add(100*random.Float64(), math.Pow(2, -10*random.Float64()))
		}
		d.Add(1, 1)
		want := d.Total() * random.Float64()
		p := d.Ratio(want)
		if got := d.Kept(p); math.Abs(got-want) > 1e-6*want {
			t.Fatalf("at %g stays %g, expected %g of %+v", p, got, want, d)
		}
		limited := d.Limited(p)
		if got := limited.Total(); math.Abs(got-want) > 1e-6*want {
			t.Fatalf("limited holds %g, expected %g", got, want)
		}
		if again := limited.Kept(p); again < limited.Total()*0.999 {
			t.Fatalf("cutting to the same ratio twice leaves %g of %g", again, limited.Total())
		}
		if d.Ratio(d.Total()) != 1 || d.Ratio(d.Total()+1) != 1 {
			t.Fatalf("all fits, but the ratio is %g", d.Ratio(d.Total()))
		}
	}
	var nothing volume.Demand
	nothing.Add(1, 0) // no such thing
	if nothing.Total() != 0 || nothing.Ratio(0) != 1 {
		t.Error("nothing is not cut")
	}
}

func TestADiffuserKeepsTheRatioOfBytesAndBothOfTwoThatTakeTurns(t *testing.T) {
	var d volume.Diffuser
	random := rand.New(rand.NewPCG(7, 8))
	total, kept := 0.0, 0.0
	var turns [2]int
	for i := range 100_000 {
		size := 50 + 1000*random.ExpFloat64()
		total += size
		if d.Keep(size, 0.1) {
			kept += size
			turns[i%2]++
		}
	}
	if math.Abs(kept/total-0.1) > 0.001 {
		t.Errorf("%.4f of the bytes were kept, expected 0.1", kept/total)
	}
	if ratio := float64(turns[0]) / float64(turns[1]); math.Abs(ratio-1) > 0.1 {
		t.Errorf("%v records were kept of two kinds that take turns", turns)
	}
	if !d.Keep(1, 1) {
		t.Error("all is kept at 1")
	}
}

func TestAMeterAllocatesNothing(t *testing.T) {
	var m volume.Meter
	now := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() {
		var d volume.Demand
		d.Add(1000, 1)
		now += 10 * time.Millisecond
		m.Spend(1000 * m.Ask(now, volume.Budget{PerSecond: 1000}, &d))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAsk(b *testing.B) {
	b.ReportAllocs()
	var m volume.Meter
	now := time.Duration(0)
	for b.Loop() {
		var d volume.Demand
		d.Add(1000, 1)
		now += 10 * time.Millisecond
		m.Spend(1000 * m.Ask(now, volume.Budget{PerSecond: 1000}, &d))
	}
}
