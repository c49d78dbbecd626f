// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// shares sends n requests, one after another, each served at its instance's speed,
// and returns who got which share.
func shares(w *world, n int, takes map[string]time.Duration) map[string]float64 {
	got := make(map[string]float64)
	for range n {
		a, ok := w.pool.Pick(Request{Now: w.now, Random: w.random})
		if !ok {
			w.t.Fatal("nobody takes a request")
		}
		w.now += takes[a.Node().ID()]
		a.Done(0, w.now, OK, Measured)
		got[a.Node().ID()] += 1 / float64(n)
	}
	return got
}

func TestAnIdleFleetIsUsedByWeight(t *testing.T) {
	w := newWorld(t, 3)
	w.who[0].Weight, w.who[1].Weight, w.who[2].Weight = 4, 2, 2
	w.update()
	ms := time.Millisecond
	got := shares(w, 20_000, map[string]time.Duration{"i0": ms, "i1": ms, "i2": ms})
	for id, want := range map[string]float64{"i0": 0.5, "i1": 0.25, "i2": 0.25} {
		if math.Abs(got[id]-want) > 0.02 {
			t.Errorf("%s got %.3f of the requests, want %.2f", id, got[id], want)
		}
	}
}

func TestTheSlowerOfTwoIsAvoidedAndNotForgotten(t *testing.T) {
	w := newWorld(t, 2)
	got := shares(w, 5_000, map[string]time.Duration{"i0": 5 * time.Millisecond, "i1": 50 * time.Millisecond})
	if got["i1"] > 0.05 || got["i1"] == 0 {
		t.Errorf("the slow one got %.4f of the requests, want a few", got["i1"])
	}
}

func TestOneSlowAnswerIsForgottenWithinSeconds(t *testing.T) {
	w := newWorld(t, 3)
	ms := time.Millisecond
	usual := map[string]time.Duration{"i0": 20 * ms, "i1": 20 * ms, "i2": 20 * ms}
	shares(w, 200, usual)
	a := w.begin("i0")
	w.now += time.Second
	a.Done(0, w.now, OK, Measured)
	if got := shares(w, 25, usual); got["i0"] > 0 {
		t.Errorf("it got %.2f of the requests within half a second, want none", got["i0"])
	}
	shares(w, 150, usual)
	if got := shares(w, 250, usual); got["i0"] < 0.2 {
		t.Errorf("it got %.2f of the requests from 3 to 8 s later, want about a third", got["i0"])
	}
}

func TestBusyInstancesAreAvoided(t *testing.T) {
	w := newWorld(t, 2)
	shares(w, 100, map[string]time.Duration{"i0": time.Millisecond, "i1": time.Millisecond})
	for range 3 {
		w.begin("i0")
	}
	for range 100 {
		a, _ := w.pool.Pick(Request{Now: w.now, Random: w.random})
		if a.Node().ID() != "i1" {
			t.Fatal("a request to the one with three in flight, none at the other")
		}
		a.Done(0, w.now, OK, Unrelated)
	}
}

func TestWhoHasNotAnsweredYetGetsOneRequestAtATime(t *testing.T) {
	w := newWorld(t, 1)
	shares(w, 10, map[string]time.Duration{"i0": 100 * time.Millisecond})
	w.who = append(w.who, Member{ID: "new", Weight: 1, InService: true})
	w.update()
	n := 0
	for range 5 {
		if a, _ := w.pool.Pick(Request{Now: w.now, Random: w.random}); a.Node().ID() == "new" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 5 requests in flight went to it, want 1", n)
	}
}

func TestWhoFailsFastDoesNotLookFast(t *testing.T) {
	w := newWorld(t, 2)
	shares(w, 200, map[string]time.Duration{"i0": 20 * time.Millisecond, "i1": 20 * time.Millisecond})
	before := w.choice("i0").Latency
	for _, speed := range []struct {
		outcome Outcome
		speed   Speed
	}{{Error, Measured}, {Refused, Measured}, {OK, AtLeast}} {
		a := w.begin("i0")
		a.Done(0, w.now, speed.outcome, speed.speed)
		if after := w.choice("i0").Latency; after < before {
			t.Errorf("outcome %v at once: latency %v, before %v", speed.outcome, after, before)
		}
	}
	a := w.begin("i0")
	w.now += time.Second
	a.Done(0, w.now, Timeout, Measured)
	if after := w.choice("i0").Latency; after < 990*time.Millisecond {
		t.Errorf("a timeout after a second: latency %v", after)
	}
}

func TestLatencyDecaysToWhatTheFleetMeasures(t *testing.T) {
	w := newWorld(t, 2)
	var h signal.Histogram
	h.Record(0.050, 100)
	w.fleet = &signal.Fleet{Instances: map[string]*signal.Signal{
		"i0": {ID: "i0", Windows: []signal.Window{{Seconds: 10, Latency: h}}, Verdict: good()},
	}}
	w.update()
	if l := w.choice("i0").Latency; l != 50*time.Millisecond {
		t.Errorf("before the first answer %v, want the fleet's 50 ms", l)
	}
	a := w.begin("i0")
	w.now += 450 * time.Millisecond
	a.Done(0, w.now, OK, Measured)
	if l := w.choice("i0").Latency; l != 450*time.Millisecond {
		t.Errorf("after a slow answer %v, want its 450 ms", l)
	}
	w.now += decay
	// 50 ms + 400 ms/e
	if l := w.choice("i0").Latency; l < 196*time.Millisecond || l > 198*time.Millisecond {
		t.Errorf("a time constant later %v, want 197 ms", l)
	}
	w.now += 20 * decay
	if l := w.choice("i0").Latency; l > 51*time.Millisecond {
		t.Errorf("long after %v, want 50 ms", l)
	}
}

func TestAnInstanceThatCannotBeReachedIsNotChosen(t *testing.T) {
	w := newWorld(t, 1000)
	for range 100 {
		if a := w.begin("i500"); a.Node().ID() != "i500" {
			t.Fatal("chose another")
		}
	}
	if _, ok := w.pool.Pick(Request{Now: w.now, Random: w.random, Usable: only("nobody")}); ok {
		t.Error("chose one of which none can be reached")
	}
}

func TestAnEmptyPoolChoosesNobody(t *testing.T) {
	w := newWorld(t, 0)
	if _, ok := w.pool.Pick(Request{Now: w.now, Random: w.random}); ok || w.pool.Panicking() {
		t.Error("chose somebody, or panicked")
	}
}

func TestWhenNobodyInRotationCanBeReachedWhoIsOutIsBetterThanNone(t *testing.T) {
	w := newWorld(t, 4)
	w.sends("i0", 5, Error)
	if _, ok := w.pool.PickInRotation(Request{Now: w.now, Random: w.random, Usable: only("i0")}); ok {
		t.Error("it is in rotation")
	}
	if a, ok := w.pool.Pick(Request{Now: w.now, Random: w.random, Usable: only("i0")}); !ok || a.Node().ID() != "i0" {
		t.Error("nobody was chosen")
	}
}
