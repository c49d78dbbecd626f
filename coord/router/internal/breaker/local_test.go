// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"pgregory.net/rapid"
)

// world drives a local breaker on a clock of its own.
type world struct {
	*Local
	t   *testing.T
	now time.Duration
}

func newWorld(t *testing.T) *world { return &world{Local: NewLocal(Settings{}), t: t, now: time.Hour} }

// attempts record n that end alike, evenly over a time.
func (w *world) attempts(n int, o Outcome, over time.Duration) {
	for range n {
		w.now += over / time.Duration(n)
		w.Record(w.now, o, 0)
	}
}

func (w *world) want(share float64, when string) {
	w.t.Helper()
	if got := w.Share(w.now); got < share-0.005 || got > share+0.005 {
		w.t.Errorf("%s: a share of %.3f, want %.3f", when, got, share)
	}
}

func TestItOpensWhenHalfOfTwentyFailed(t *testing.T) {
	for name, c := range map[string]struct {
		ok, failed int
		over       time.Duration
		want       float64
	}{
		"ten of twenty":                   {10, 10, time.Second, 0},
		"nineteen of nineteen":            {0, 19, time.Second, 1},
		"nine of twenty":                  {11, 9, time.Second, 1},
		"twenty of twenty in ten seconds": {0, 20, 9 * time.Second, 0},
		"twenty of twenty in a minute":    {0, 20, time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.attempts(c.ok, Success, 0)
			w.attempts(c.failed, Failure, c.over)
			w.want(c.want, name)
		})
	}
}

func TestWhatIsOlderThanTheWindowIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.attempts(1000, Success, time.Second)
	w.now += window
	w.attempts(20, Failure, time.Second)
	w.want(0, "the successes are of another time")
}

func TestCancelledSaysNothing(t *testing.T) {
	w := newWorld(t)
	w.attempts(100, Cancelled, time.Second)
	w.attempts(19, Failure, time.Second)
	w.want(1, "nineteen failures among a hundred that were cancelled")
	w.attempts(1, Failure, 0)
	w.want(0, "twenty")
}

func TestTheLifeOfALocalBreaker(t *testing.T) {
	w := newWorld(t)
	w.attempts(20, Failure, 0)
	w.want(0, "at the fault")
	w.attempts(50, Failure, time.Second) // that were under way
	w.now += 28 * time.Second
	w.want(0, "within the base")
	w.now += time.Second
	w.want(signal.MinShare, "at its end")
	w.attempts(4, Failure, time.Second)
	if w.Share(w.now) == 0 {
		t.Error("four probes that failed opened it again")
	}
	w.attempts(1, Failure, 0)
	w.want(0, "five")
	w.now += 59 * time.Second
	w.want(0, "within twice the base")
	w.now += time.Second
	w.attempts(30, Success, 5*time.Second)
	w.want(0.224, "in the middle of the ramp, whatever succeeded")
	w.now += 5*time.Second + bucket
	w.want(1, "after the ramp")
	w.attempts(5, Failure, 0)
	w.want(1, "five of thirty-five")
	if w.trip.Load() != nil {
		t.Error("half open after the ramp with twenty successes")
	}
	w.attempts(20, Failure, 0)
	if got := w.trip.Load(); got == nil || got.episode != 1 {
		t.Errorf("%+v, want to count anew after a clean ramp", got)
	}
}

func TestTheHoldGrowsToItsCapAndIsSpread(t *testing.T) {
	for _, c := range []struct {
		episode uint32
		random  float64
		want    time.Duration
	}{
		{1, 0, 30 * time.Second}, {1, 0.5, 33 * time.Second}, {3, 0, 90 * time.Second}, {100, 0, 250 * time.Second}, {100, 0.9999999999, signal.MaxHold},
	} {
		l := NewLocal(Settings{})
		l.open(0, tally{}, c.episode, c.random)
		if got := l.trip.Load().hold; got.Round(time.Millisecond) != c.want {
			t.Errorf("episode %d, random %g: %v, want %v", c.episode, c.random, got, c.want)
		}
	}
}

func TestOwnSettings(t *testing.T) {
	l := NewLocal(Settings{Ratio: 0.1, Requests: 3, Base: time.Second})
	for _, o := range []Outcome{Success, Success, Failure} {
		l.Record(0, o, 0)
	}
	if l.Share(0) != 0 || l.Share(time.Second) != signal.MinShare {
		t.Errorf("shares %g and %g", l.Share(0), l.Share(time.Second))
	}
}

// Whatever comes in whatever order, the sums are those of the buckets, and a share is one.
func TestCountsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := NewLocal(Settings{})
		for range rapid.IntRange(0, 200).Draw(t, "attempts") {
			now := time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "at"))
			o := Outcome(rapid.IntRange(0, 2).Draw(t, "outcome"))
			l.Record(now, o, rapid.Float64Range(0, 0.999).Draw(t, "random"))
			var sum tally
			for _, b := range l.counts.ring {
				sum.requests += b.requests
				sum.failures += b.failures
			}
			if sum != l.counts.tally || sum.failures > sum.requests {
				t.Fatalf("buckets hold %+v, and the sum is %+v", sum, l.counts.tally)
			}
			if s := l.Share(now); s < 0 || s > 1 {
				t.Fatalf("share %g", s)
			}
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	b := New("", Settings{Base: time.Millisecond})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 2000 {
				now := time.Duration(n) * 10 * time.Microsecond
				d := b.Decide(now, NotForced, nil)
				if d.Admits(0.5) {
					b.Record(now, Outcome((n/100+i)%3), 0.5)
				}
			}
		})
	}
	all.Wait()
}
