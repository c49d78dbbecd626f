// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"pgregory.net/rapid"
)

// requests takes in what a caller saw of a route of service s.
func (f *fleet) requests(caller, route string, ok, failed uint64) {
	f.t.Helper()
	for outcome, n := range map[Outcome]uint64{OK: ok, Error: failed} {
		if n == 0 {
			continue
		}
		m := &Measurement{Outcome: outcome, Count: n, Sum: float64(n), Buckets: []uint64{n}, Route: route}
		if err := f.Record(f.now, signal.HashCaller(caller), Target{Service: "s", Instance: "a"}, m); err != nil {
			f.t.Fatal(err)
		}
	}
}

// pass lets a second pass after each call of what happens in it.
func (f *fleet) pass(n int, each func()) {
	for range n {
		if each != nil {
			each()
		}
		f.now += time.Second
		f.Look(f.now)
	}
}

func (f *fleet) circuit(route string) signal.Circuit { return f.merged().Circuit(route) }

func (f *fleet) wantCircuit(route string, want signal.CircuitState, when string) {
	f.t.Helper()
	if c := f.circuit(route); c.State != want {
		f.t.Errorf("%s: %v, want %s", when, c, want)
	}
}

func TestARouteHasACircuitOfItsOwn(t *testing.T) {
	f := newFleet(t)
	f.requests("x", "", 80, 0)
	f.requests("x", "checkout", 0, 30)
	f.pass(1, nil)
	f.wantCircuit("checkout", signal.Open, "all of its requests fail")
	f.wantCircuit("", signal.Closed, "30 of the service's 110 requests fail")
	w := f.merged().Scopes[""].Window(10)
	if w == nil || w.Requests != 110 || w.Failures() != 30 || len(w.Latency.Counts) != 0 {
		t.Errorf("the service's window: %+v", w)
	}
}

func TestStandardMetricsAndSpansCountForTheService(t *testing.T) {
	for name, source := range map[string]Source{"metrics": Metrics, "spans": Spans} {
		f := newFleet(t)
		for i := range 3 {
			m := &Measurement{Outcome: Error, Count: 10, Sum: 1, Source: source}
			if err := f.Record(f.now, uint64(i), Target{Service: "s", Instance: "a"}, m); err != nil {
				t.Fatal(err)
			}
		}
		f.pass(1, nil)
		f.wantCircuit("", signal.Open, name)
	}
}

func TestTheLifeOfACircuit(t *testing.T) {
	f := newFleet(t)
	f.requests("x", "", 0, 20)
	f.pass(1, nil)
	f.wantCircuit("", signal.Open, "at the outage")
	f.pass(4, func() { f.wantCircuit("", signal.Open, "while it is latched, without traffic") })
	f.pass(1, nil)
	c := f.circuit("")
	if c.State != signal.HalfOpen || c.Share(0) != signal.MinShare || c.Episode != 1 || c.BadCallers != 1 {
		t.Errorf("after the base: %v, share %g", c, c.Share(0))
	}
	f.pass(1, nil) // what comes in the second of the change may tell of before
	f.pass(4, func() { f.requests("x", "", 0, 1) })
	f.wantCircuit("", signal.HalfOpen, "four probes failed")
	f.pass(1, func() { f.requests("x", "", 0, 1) })
	if c := f.circuit(""); c.State != signal.Open || c.Episode != 2 || c.Hold != 2*base {
		t.Errorf("five probes failed: %v, held for %v", c, c.Hold)
	}
	f.pass(10, nil)
	f.wantCircuit("", signal.HalfOpen, "after twice the base")
	share := 0.0
	f.pass(9, func() {
		f.requests("x", "", 10, 0)
		c := f.circuit("")
		if c.State != signal.HalfOpen || c.Share(0) < share {
			t.Errorf("on the ramp: %v, share %g after %g", c, c.Share(0), share)
		}
		share = c.Share(0)
	})
	if share < 0.5 {
		t.Errorf("a share of %g after 8 s", share)
	}
	f.pass(2, func() { f.requests("x", "", 10, 0) })
	f.wantCircuit("", signal.Closed, "after the ramp, with a hundred successes")
	f.requests("x", "", 0, 200)
	f.pass(1, nil)
	if c := f.circuit(""); c.Episode != 1 {
		t.Errorf("after a clean ramp: %v, want to count anew", c)
	}
}

func TestARampWithoutTrafficEndsToo(t *testing.T) {
	f := newFleet(t)
	f.requests("x", "", 0, 20)
	f.pass(6, nil)
	f.pass(9, func() { f.wantCircuit("", signal.HalfOpen, "on the ramp") })
	f.pass(1, nil)
	f.wantCircuit("", signal.Closed, "nobody came")
}

func TestOneWhoSpeaksFirstDoesNotKeepACircuitOpen(t *testing.T) {
	f := newFleet(t)
	for _, c := range []string{"x", "y", "z"} {
		f.requests(c, "", 0, 10)
	}
	f.pass(7, nil)
	f.wantCircuit("", signal.HalfOpen, "after the base")
	f.pass(8, func() {
		f.requests("x", "", 0, 10)
		f.wantCircuit("", signal.HalfOpen, "one of three fails for a reason of its own")
	})
	f.pass(4, func() {
		f.requests("x", "", 0, 10)
		f.requests("y", "", 30, 0)
		f.requests("z", "", 30, 0)
	})
	f.wantCircuit("", signal.Closed, "the others are content")
}

func TestCallersThatGoThereAllTheSameCloseTheCircuit(t *testing.T) {
	f := newFleet(t)
	f.requests("x", "", 0, 20)
	f.pass(3, nil)
	f.requests("y", "", 30, 0)
	f.pass(1, nil)
	f.wantCircuit("", signal.Closed, "a caller without a router finds it well")
}

func TestRoutesAreBounded(t *testing.T) {
	f := newFleet(t)
	turned := 0
	for i := range 20 {
		m := &Measurement{Outcome: Error, Count: 10, Sum: 1, Route: fmt.Sprintf("route-%02d", i)}
		err := f.Record(f.now, 1, Target{Service: "s", Instance: "a"}, m)
		if err != nil && !errors.Is(err, ErrRoutes) {
			t.Fatal(err)
		} else if err != nil {
			turned++
		}
	}
	f.pass(1, nil)
	fleet := f.merged()
	if turned != 4 || len(fleet.Scopes) != signal.MaxScopes || fleet.Scopes[""].Evidence.Requests != 200 || fleet.Instances["a"].Evidence.Requests != 200 {
		t.Errorf("%d turned away, %d scopes, %d of the service's 200 requests", turned, len(fleet.Scopes), fleet.Scopes[""].Evidence.Requests)
	}
	f.pass(60, func() { f.merged() })
	if len(f.services) != 0 || f.scopes != 0 {
		t.Errorf("%v and %d scopes are left when nobody calls any more", f.services, f.scopes)
	}
}

func TestTheBoundOfAllScopes(t *testing.T) {
	a := New(base, 3)
	for i := range 3 {
		for r := range 5 {
			m := &Measurement{Count: 1, Route: fmt.Sprint(r)}
			if err := a.Record(0, 1, Target{Service: fmt.Sprint(i), Instance: "a"}, m); err != nil && !errors.Is(err, ErrRoutes) {
				t.Fatal(err)
			}
		}
	}
	if a.scopes != 6 {
		t.Errorf("%d scopes where 3 instances may be known", a.scopes)
	}
}

func TestACircuitThatTurnsIsWrittenFirst(t *testing.T) {
	f := newFleet(t)
	f.pass(20, func() {
		f.requests("x", "", 50, 0)
		f.requests("x", "checkout", 50, 0)
		f.merged()
	})
	f.pass(1, func() { f.requests("x", "", 50, 0); f.requests("x", "checkout", 50, 0) })
	if w := f.Pending(); len(w) != 0 {
		t.Fatalf("nothing changed, and yet %+v", w)
	}
	f.pass(1, func() { f.requests("x", "", 50, 0); f.requests("x", "checkout", 0, 50) })
	if w := f.Pending(); len(w) != 1 || !w[0].Urgent || w[0].Shard != shardOfScopes {
		t.Errorf("a circuit that opened: %+v", w)
	}
}

// A reader that comes in the middle of a ramp, and knows only what was written, is not far
// behind one that has seen it begin.
func TestARampIsToldAsItGrows(t *testing.T) {
	f := newFleet(t)
	f.requests("x", "", 0, 20)
	f.pass(6, nil)
	f.merged()
	writes := 0
	for range 40 {
		f.now += 250 * time.Millisecond
		f.Look(f.now)
		for _, w := range f.Pending() {
			writes++
			f.Share(f.now, w)
		}
		if sc := f.services["s"].scopes[""]; sc.latch.state == signal.Probation && sc.admits(f.now) > 2.5*sc.share {
			t.Fatalf("a share of %g, and the one written is %g", sc.admits(f.now), sc.share)
		}
	}
	if writes > 8 {
		t.Errorf("%d writes in a ramp", writes)
	}
}

// Who said what where does not matter: two collectors come to the circuit of one.
func TestTwoCollectorsHaveTheCircuitOfOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, left, right := New(base, 100), New(base, 100), New(base, 100)
		now := time.Hour
		for range rapid.IntRange(1, 20).Draw(t, "reports") {
			m := &Measurement{
				Outcome: rapid.SampledFrom([]Outcome{OK, Error}).Draw(t, "outcome"), Count: rapid.Uint64Range(20, 50).Draw(t, "count"), Sum: 1,
				Route: rapid.SampledFrom([]string{"", "a"}).Draw(t, "route"),
			}
			caller := rapid.Uint64Range(0, 6).Draw(t, "caller")
			half := left
			if caller%2 == 0 {
				half = right
			}
			for _, a := range []*Aggregate{one, half} {
				if err := a.Record(now, caller, Target{Service: "s", Instance: "i"}, m); err != nil {
					t.Fatal(err)
				}
			}
		}
		shares := func(list ...*Aggregate) (shares []*signal.Share) {
			for _, a := range list {
				a.Look(now)
				if share, _ := a.Share(now, Work{Service: "s", Shards: 1}); share != nil {
					shares = append(shares, share)
				}
			}
			return shares
		}
		whole, both := signal.Merge(shares(one)), signal.Merge(shares(left, right))
		for route := range whole.Scopes {
			w, b := whole.Circuit(route), both.Circuit(route)
			if w.State != b.State || w.Requests != b.Requests || w.Failures != b.Failures || w.BadCallers != b.BadCallers {
				t.Fatalf("one collector: %v; two: %v", w, b)
			}
		}
	})
}
