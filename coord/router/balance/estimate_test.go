// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestTheQuantileFollowsWhatIsHeard(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var q quantile
	if got := q.value(); !math.IsInf(got, 1) {
		t.Errorf("the quantile of nothing is %v: nobody is hot of whom nothing was heard", got)
	}
	for range 2000 {
		q.add(float64(random.IntN(100)))
	}
	if got := q.value(); got < 75 || got > 93 {
		t.Errorf("%v of numbers below 100, want about 84", got)
	}
	for range 2000 { // what was is forgotten
		q.add(float64(random.IntN(10)))
	}
	if got := q.value(); got < 7 || got > 9 {
		t.Errorf("%v of numbers below 10, want about 8", got)
	}
	for range 2000 {
		q.add(math.MaxFloat64)
	}
	if got := q.value(); got != 255 {
		t.Errorf("%v of huge ones, want the last count", got)
	}
}

func TestTheMedianFollows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var m median
	for _, scale := range []time.Duration{time.Second, time.Millisecond} {
		for range 3000 {
			m.add(time.Duration(random.ExpFloat64() * float64(scale)))
		}
		want := float64(scale) * math.Ln2
		if got := float64(m.value()); got < 0.75*want || got > 1.3*want {
			t.Errorf("median %v of exponential times around %v, want %v", m.value(), scale, time.Duration(want))
		}
	}
}

func TestTheRateFollows(t *testing.T) {
	var r rate
	if got := r.value(); got != 0 {
		t.Errorf("a rate of %v of nothing", got)
	}
	for _, want := range []int{3, 1, 0} {
		for range 500 {
			r.request()
			for range want {
				r.count()
			}
		}
		if got := r.value(); math.Abs(got-float64(want)) > 0.1 {
			t.Errorf("a rate of %v, want %d", got, want)
		}
	}
}

func TestABucketHasASecondsTokensAndOneAtLeast(t *testing.T) {
	for _, of := range []struct {
		perSecond     float64
		atOnce, later int
	}{{0, 1000, 1000}, {50, 50, 50}, {1, 1, 1}, {0.25, 1, 0}, {1e-12, 1, 0}} {
		b := bucket{perSecond: of.perSecond}
		takes := func(now time.Duration) (n int) {
			for range 1000 {
				if b.take(now) {
					n++
				}
			}
			return n
		}
		if got := takes(time.Hour); got != of.atOnce {
			t.Errorf("%v a second: %d at once, want %d", of.perSecond, got, of.atOnce)
		}
		if got := takes(time.Hour + time.Second); got != of.later {
			t.Errorf("%v a second: %d a second later, want %d", of.perSecond, got, of.later)
		}
		if got := takes(3 * time.Hour); got != of.atOnce { // what was not taken is not saved
			t.Errorf("%v a second: %d hours later, want %d", of.perSecond, got, of.atOnce)
		}
	}
}
