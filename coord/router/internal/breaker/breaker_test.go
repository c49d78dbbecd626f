// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"pgregory.net/rapid"
)

// fails opens the local breaker at a time.
func fails(b *Breaker, now time.Duration) {
	for range 20 {
		b.Record(now, Failure, 0)
	}
}

func TestWhoDecides(t *testing.T) {
	open, closed := &signal.Circuit{State: signal.Open}, &signal.Circuit{}
	for name, c := range map[string]struct {
		forced Forced
		fleet  *signal.Circuit
		local  bool // the process found it down
		rule   Rule
		admit  float64
	}{
		"an operator opens what is well":               {ForcedOpen, closed, false, ByOperator, 0},
		"an operator closes what the fleet finds down": {ForcedClosed, open, true, ByOperator, 1},
		"the fleet finds it down":                      {NotForced, open, false, ByFleet, 0},
		"the fleet finds it well, this process down":   {NotForced, closed, true, ByFleet, 1},
		"signals are away, this process finds it down": {NotForced, nil, true, ByProcess, 0},
		"signals are away, this process finds it well": {NotForced, nil, false, ByProcess, 1},
	} {
		b := New("", Settings{})
		if c.local {
			fails(b, 0)
		}
		if d := b.Decide(time.Second, c.forced, c.fleet); d.Rule != c.rule || d.Admit != c.admit {
			t.Errorf("%s: %v", name, d)
		}
		if got := b.Share(time.Second, c.forced, c.fleet); got != c.admit {
			t.Errorf("%s: a share of %g, want %g", name, got, c.admit)
		}
	}
}

func TestWhatTheFleetDoesNotSayThisProcessDecides(t *testing.T) {
	if Of(nil, "") != nil {
		t.Error("no signals, and yet a word of the fleet")
	}
	fleet := signal.Merge([]*signal.Share{{Scopes: []signal.Scope{{}}}})
	if Of(fleet, "") == nil || Of(fleet, "checkout") != nil {
		t.Error("the fleet knows the service and not the route")
	}
}

func TestADecisionSaysItsFigures(t *testing.T) {
	b := New("checkout", Settings{})
	fails(b, 0)
	const want = "route checkout is open (local): 0 % of the requests go; 20 of 20 requests failed, 1 of 1 callers saw it bad (thresholds: 50 % of 20 requests, 1 callers)"
	if got := b.Decide(time.Second, NotForced, nil).String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	const forced = "route checkout is open (forced): 0 % of the requests go"
	if got := b.Decide(time.Second, ForcedOpen, nil).String(); got != forced {
		t.Errorf("got  %s\nwant %s", got, forced)
	}
}

func halfOpen(episode uint32, age time.Duration) *signal.Circuit {
	return &signal.Circuit{State: signal.HalfOpen, Episode: episode, Age: age, Hold: signal.Ramp}
}

func TestARampGoesOnBetweenShares(t *testing.T) {
	b, now := New("", Settings{}), time.Hour
	admit := func(c *signal.Circuit) float64 { d := b.Decide(now, NotForced, c); return d.Admit }
	if got := admit(halfOpen(1, 0)); got != signal.MinShare {
		t.Errorf("at its beginning %g", got)
	}
	now += 5 * time.Second
	before := admit(halfOpen(1, 0))
	if before < 0.2 {
		t.Errorf("the same share five seconds later: %g", before)
	}
	if got := admit(halfOpen(1, 4*time.Second)); got < before {
		t.Errorf("another collector began later: %g after %g", got, before)
	}
	if got := admit(halfOpen(2, 0)); got != signal.MinShare {
		t.Errorf("the next episode begins with %g", got)
	}
	admit(&signal.Circuit{})
	now += time.Minute
	if got := admit(halfOpen(2, 0)); got != signal.MinShare {
		t.Errorf("a ramp after the circuit was closed begins with %g", got)
	}
}

// Shares of any collectors in any order: within one ramp the share only grows.
func TestARampNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, now, last := New("", Settings{}), time.Hour, 0.0
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			now += time.Duration(rapid.IntRange(0, 2000).Draw(t, "later")) * time.Millisecond
			d := b.Decide(now, NotForced, halfOpen(1, time.Duration(rapid.IntRange(0, 10_000).Draw(t, "age"))*time.Millisecond))
			if d.Admit < last || d.Admit > 1 {
				t.Fatalf("%g after %g", d.Admit, last)
			}
			last = d.Admit
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	b, c := New("", Settings{}), &signal.Circuit{}
	for name, f := range map[string]func(){
		"a share":                   func() { b.Share(1, NotForced, c) },
		"a decision by the fleet":   func() { d := b.Decide(1, NotForced, c); d.Admits(0.5) },
		"a decision on a ramp":      func() { d := b.Decide(1, NotForced, halfOpenCircuit); d.Admits(0.5) },
		"a decision by the process": func() { d := b.Decide(1, NotForced, nil); d.Admits(0.5) },
		"a record":                  func() { b.Record(1, Success, 0.5) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}

var halfOpenCircuit = halfOpen(1, 0)
