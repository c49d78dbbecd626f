// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

func TestTheFleetsVerdict(t *testing.T) {
	for name, tell := range map[string]func(*world){
		"bad takes an instance out, probation has it probed": func(w *world) {
			w.sends("i0", 3, OK)
			w.says("i0", bad())
			w.is("i0", EjectedByFleet, ByVerdict)
			if w.gets("i0") {
				w.t.Error("it gets requests")
			}
			w.says("i0", probation())
			w.is("i0", Probing, OnProbation)
			w.awaitsProbe("i0")
			w.probes("i0", 3, OK)
			w.is("i0", Active, Probed)
		},
		"a router that just began sends nothing to a bad instance": func(w *world) {
			w.says("i0", bad())
			w.now += time.Hour
			if w.gets("i0") {
				w.t.Error("it gets requests")
			}
		},
		"a router that just began probes an instance on probation": func(w *world) {
			w.says("i0", probation())
			w.is("i0", Probing, OnProbation)
			w.awaitsProbe("i0")
			if a := w.begin("i0"); !a.Probe() {
				w.t.Error("a request that is no probe")
			}
		},
		"probation means nothing to a router that never had it out": func(w *world) {
			w.sends("i0", 1, OK)
			w.says("i0", probation())
			w.is("i0", Active, None)
		},
		"a verdict that vanishes has it probed": func(w *world) {
			w.says("i0", bad())
			w.fleet = nil
			w.update()
			w.is("i0", Probing, OnProbation)
		},
		"good again has it probed, not trusted": func(w *world) {
			w.says("i0", bad())
			w.says("i0", good())
			w.is("i0", Probing, OnProbation)
		},
		"bad while it is probed takes it out again": func(w *world) {
			w.says("i0", bad())
			w.says("i0", probation())
			w.says("i0", bad())
			w.is("i0", EjectedByFleet, ByVerdict)
		},
		"twenty own successes within five seconds outweigh the fleet": func(w *world) {
			w.sends("i0", 20, OK)
			w.says("i0", bad())
			w.is("i0", Active, None)
			if c := w.choice("i0"); c.Weight != 1 || !c.Vouched {
				w.t.Errorf("weight %v, vouched %v; want all of it", c.Weight, c.Vouched)
			}
		},
		"nineteen do not": func(w *world) {
			w.sends("i0", 19, OK)
			w.says("i0", bad())
			w.is("i0", EjectedByFleet, ByVerdict)
		},
		"successes that are no longer fresh do not": func(w *world) {
			w.sends("i0", 20, OK)
			w.says("i0", bad())
			w.now += vouchWithin + time.Second
			w.gets("i1")
			w.is("i0", EjectedByFleet, ByVerdict)
		},
		"one failure ends that at once": func(w *world) {
			w.sends("i0", 20, OK)
			w.says("i0", bad())
			w.sends("i0", 1, Error)
			w.is("i0", EjectedByFleet, ByVerdict)
		},
		"at most half are taken out": func(w *world) {
			for _, m := range w.who {
				w.says(m.ID, bad())
			}
			w.is("i0", EjectedByFleet, ByVerdict)
			w.is("i1", EjectedByFleet, ByVerdict)
			w.is("i2", Active, None)
			w.is("i3", Active, None)
			if w.pool.Panicking() {
				w.t.Error("the fleet's verdict alone never leads to panic")
			}
		},
		"the limit follows the membership": func(w *world) {
			w.says("i0", bad())
			w.says("i1", bad())
			w.who = w.who[:2]
			w.update()
			w.is("i0", EjectedByFleet, ByVerdict)
			w.is("i1", Probing, OnProbation)
		},
		"a single instance is never taken out by the fleet": func(w *world) {
			w.who = w.who[:1]
			w.update()
			w.says("i0", bad())
			w.is("i0", Active, None)
		},
		"an own ejection ends in the fleet's when that still stands": func(w *world) {
			w.sends("i0", 5, Error)
			w.says("i0", bad())
			w.is("i0", Ejected, Consecutive)
			w.now += base
			w.is("i0", EjectedByFleet, ByVerdict)
		},
		"the verdict's weight is the share of the draws": func(w *world) {
			w.says("i0", signal.Verdict{State: signal.Good, Weight: 0.25})
			n := 0
			for range 10_000 {
				if i := w.pool.table.Load().rotation.Draw(Request{Now: w.now, Random: w.random}); i == 0 {
					n++
				}
			}
			if s := float64(n) / 10_000; s < 0.06 || s > 0.095 {
				w.t.Errorf("it gets %.3f of the draws, want 0.25/3.25", s)
			}
		},
		"the fleet's doing is not counted as this router's": func(w *world) {
			w.says("i0", bad())
			if len(w.events) != 1 || w.events[0].Local || w.events[0].Kind != Left {
				w.t.Errorf("events %+v", w.events)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { tell(newWorld(t, 4)) })
	}
}

// A hundred callers hear of a probation at the same moment. The fleet knows within a second
// or two whether the first of them fared well, so the others need not have asked.
func TestCallersSpreadTheirFirstProbesOfAnInstanceOnProbation(t *testing.T) {
	const callers = 100
	var waits []time.Duration
	for i := range callers {
		w := newWorld(t, 3)
		w.random = rand.New(rand.NewPCG(1, uint64(i))).IntN
		w.says("i0", bad())
		w.says("i0", probation())
		waits = append(waits, w.awaitsProbe("i0"))
	}
	slices.Sort(waits)
	if first, last := waits[0], waits[callers-1]; first > time.Second || last > base/5 || last < base/6 {
		t.Errorf("probes from %v to %v after the probation began, want them over %v", first, last, base/5)
	}
	within := 0
	for _, wait := range waits {
		if wait <= time.Second {
			within++
		}
	}
	if within > callers/3 {
		t.Errorf("%d of %d callers probe within a second, want a third at most", within, callers)
	}
}
