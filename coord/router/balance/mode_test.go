// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// switches sets the switch of ejection.
func (w *world) switches(m Mode) { w.configure(func(s *Settings) { s.Ejection.Mode = m }) }

func TestTheSwitchOfEjection(t *testing.T) {
	for name, tell := range map[string]func(*world){
		"off: nothing takes an instance out": func(w *world) {
			w.switches(Off)
			w.sends("i0", 50, Error)
			w.says("i1", bad())
			w.says("i2", probation())
			for _, id := range []string{"i0", "i1", "i2"} {
				w.is(id, Active, None)
			}
			if len(w.events) > 0 {
				w.t.Errorf("events %+v", w.events)
			}
		},
		"observe: what would have been done is told, and not done": func(w *world) {
			w.switches(Observe)
			w.sends("i0", 50, Error)
			w.is("i0", Active, None)
			if len(w.events) != 1 {
				w.t.Fatalf("%d events, want one", len(w.events))
			}
			e := w.events[0]
			if e.Kind != WouldLeave || e.Node.ID() != "i0" || e.Reason != Consecutive || !e.Local || e.Hold != base ||
				e.Instances != 4 || e.Rotation != 4 || len(e.Figures) != 1 || e.Figures[0] != (Figure{"consecutive", 5, 5}) {
				w.t.Errorf("event %+v", e)
			}
		},
		"observe: it is told again when the hold would be over": func(w *world) {
			w.switches(Observe)
			w.sends("i0", 10, Error)
			w.now += base - 200*time.Millisecond
			w.sends("i0", 1, Error)
			if len(w.events) != 1 {
				w.t.Fatalf("%d events within a hold", len(w.events))
			}
			w.now += 200 * time.Millisecond
			w.sends("i0", 1, Error)
			if len(w.events) != 2 {
				w.t.Errorf("%d events, want another after the hold", len(w.events))
			}
		},
		"observe: a failure costs no new table": func(w *world) {
			w.switches(Observe)
			before := w.pool.table.Load()
			w.sends("i0", 50, Error)
			if w.pool.table.Load() != before {
				w.t.Error("nothing changed, and all was made again")
			}
		},
		"observe: of the fleet's verdicts as many are told as would be acted on": func(w *world) {
			w.switches(Observe)
			for _, m := range w.who {
				w.says(m.ID, bad())
			}
			if len(w.events) != 2 || w.events[0].Reason != ByVerdict || w.events[0].Local || w.events[0].Hold != 0 {
				w.t.Errorf("events %+v", w.events)
			}
			w.is("i0", Active, None)
		},
		"observe: so it is with probation": func(w *world) {
			w.switches(Observe)
			w.says("i0", probation())
			w.is("i0", Active, None)
			if len(w.events) != 1 || w.events[0].Reason != OnProbation {
				w.t.Errorf("events %+v", w.events)
			}
		},
		"act again: the next failure takes it out": func(w *world) {
			w.switches(Observe)
			w.sends("i0", 9, Error)
			w.switches(Act)
			w.sends("i0", 1, Error)
			w.is("i0", Ejected, Consecutive)
		},
		"switched off, those that are out are probed, and come back when they are well": func(w *world) {
			w.sends("i0", 5, Error)
			w.says("i1", bad())
			w.is("i1", EjectedByFleet, ByVerdict)
			w.switches(Off)
			w.is("i0", Probing, SwitchedOff)
			w.is("i1", Probing, SwitchedOff)
			if a := w.begin("i0"); !a.Probe() {
				w.t.Error("a request that is no probe")
			} else {
				a.Done(0, w.now, OK, Measured)
			}
			w.now += base / 10
			w.probes("i0", 2, OK)
			w.is("i0", Active, Probed)
		},
		"switched off, a failed probe begins the count again and takes nothing out": func(w *world) {
			w.sends("i0", 5, Error)
			w.switches(Off)
			w.probes("i0", 2, OK)
			w.probes("i0", 1, Error)
			w.is("i0", Probing, SwitchedOff)
			w.probes("i0", 2, OK)
			w.is("i0", Probing, SwitchedOff)
			w.probes("i0", 1, OK)
			w.is("i0", Active, Probed)
		},
		"whatever the switch, who vanished and refuses is out": func(w *world) {
			w.switches(Off)
			w.who[0].Unconfirmed, w.who[1].Unconfirmed = true, true
			w.update()
			w.sends("i0", 1, Refused)
			w.is("i0", Ejected, Unreachable)
			w.pool.Unreachable(w.now, "i1")
			w.is("i1", Ejected, Unreachable)
			w.now += base
			w.probes("i0", 1, Refused)
			w.is("i0", Ejected, FailedProbe)
		},
	} {
		t.Run(name, func(t *testing.T) { tell(newWorld(t, 4)) })
	}
}

func TestSettingsOfEjection(t *testing.T) {
	for name, tell := range map[string]func(*world){
		"as many failures in a row as it says": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Consecutive = 3 })
			w.sends("i0", 2, Error)
			w.is("i0", Active, None)
			w.sends("i0", 1, Error)
			w.is("i0", Ejected, Consecutive)
		},
		"zero counts none in a row": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Consecutive, s.Ejection.Requests = 0, 1000 })
			w.sends("i0", 500, Error)
			w.is("i0", Active, None)
		},
		"the ratio, of as many requests as it says": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Ratio, s.Ejection.Requests = 0.25, 20 })
			for i := range 5 {
				w.is("i0", Active, None)
				w.sends("i0", 3, OK)
				w.sends("i0", 1, Error)
				if i == 4 {
					w.is("i0", Ejected, Ratio)
				}
			}
			e := w.events[len(w.events)-1]
			if len(e.Figures) != 2 || e.Figures[0] != (Figure{"failure_ratio", 0.25, 0.25}) || e.Figures[1] != (Figure{"requests", 20, 20}) {
				w.t.Errorf("figures %+v", e.Figures)
			}
		},
		"the base of holds": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Base = time.Second })
			w.sends("i0", 5, Error)
			w.now += time.Second
			w.is("i0", Probing, HoldOver)
		},
		"the share of the fleet's verdicts": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Share = 0.25 })
			for _, m := range w.who {
				w.says(m.ID, bad())
			}
			if out := w.out(); out != 1 {
				w.t.Errorf("%d of four are out, want one", out)
			}
		},
		"probation keeps to the share too": func(w *world) {
			for _, m := range w.who {
				w.says(m.ID, probation())
			}
			if out := w.out(); out != 2 || w.pool.Panicking() {
				w.t.Errorf("%d of four are out, want two", out)
			}
		},
		"panic below the part that it says": func(w *world) {
			w.configure(func(s *Settings) { s.Panic = 0.8 })
			if w.pool.Panicking() {
				w.t.Error("panic, and all are there")
			}
			w.sends("i0", 5, Error)
			if !w.pool.Panicking() || !w.gets("i0") {
				w.t.Error("want panic with three of four")
			}
			w.configure(func(s *Settings) { s.Panic = 0.7 })
			if w.pool.Panicking() || w.gets("i0") {
				w.t.Error("want none with another setting")
			}
		},
		"without panic nobody is in rotation when all are out, and Pick still finds one": func(w *world) {
			w.configure(func(s *Settings) { s.Panic, s.Ejection.Share = 0, 1 })
			for _, m := range w.who {
				w.sends(m.ID, 5, Error)
			}
			if _, ok := w.pool.PickInRotation(w.request()); ok || w.pool.Panicking() {
				w.t.Error("somebody is in rotation")
			}
			if _, ok := w.pool.Pick(w.request()); !ok {
				w.t.Error("one that is out is better than none")
			}
		},
		"the fleet's figures, and the callers that were counted": func(w *world) {
			v := bad()
			v.Requests, v.Failures, v.Callers, v.BadCallers = 200, 150, 7, 6
			w.says("i0", v)
			e := w.events[0]
			if e.Callers != 7 || e.BadCallers != 6 || len(e.Figures) != 2 ||
				e.Figures[0] != (Figure{"failure_ratio", 0.75, signal.BadRatio}) || e.Figures[1] != (Figure{"requests", 200, signal.MinRequests}) {
				w.t.Errorf("event %+v", e)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { tell(newWorld(t, 4)) })
	}
}

// TestSettingsThatChangeWhileItRunsKeepTheStates: a new threshold must not bring back who is
// out, nor forget what is known.
func TestSettingsThatChangeWhileItRunsKeepTheStates(t *testing.T) {
	w := newWorld(t, 4)
	w.sends("i0", 5, Error)
	w.says("i1", bad())
	w.begin("i2")
	w.sends("i2", 3, OK)
	w.sends("i3", 4, Error)
	before := w.choice("i2")
	for _, change := range []func(*Settings){
		func(s *Settings) { s.Policy = LeastRequest{} },
		func(s *Settings) { s.Ejection.Base, s.Ejection.Ratio, s.Ejection.Stdev = time.Minute, 0.9, 3 },
		func(s *Settings) { s.Panic, s.SlowStart, s.Zone = 0.2, time.Minute, "a" },
		func(s *Settings) { s.Subset, s.Caller = 2, "me" },
		func(s *Settings) { s.Variants = map[string]func(Member) bool{"v": func(Member) bool { return false }} },
		func(s *Settings) {},
	} {
		w.configure(change)
		w.is("i0", Ejected, Consecutive)
		w.is("i1", EjectedByFleet, ByVerdict)
		if c := w.choice("i2"); c.InFlight != 1 || c.Latency != before.Latency || c.Ramp != 1 {
			t.Errorf("after a change %+v, before it %+v", c, before)
		}
	}
	w.sends("i3", 1, Error) // the fifth in a row
	w.is("i3", Ejected, Consecutive)
}

func TestOverrides(t *testing.T) {
	for name, tell := range map[string]func(*world){
		"who is named gets nothing, and comes back when it no longer is": func(w *world) {
			w.pool.Force(w.now, map[string]bool{"i0": true})
			if w.gets("i0") || !w.gets("i1") {
				w.t.Error("want all but i0")
			}
			if c := w.choice("i0"); c.State != Active || c.Weight != 0 || !c.Forced || c.Known {
				w.t.Errorf("%+v: it is well, and not drawn because an operator said so", c)
			}
			if c := w.choice("i1"); c.Forced || !c.Known {
				w.t.Errorf("%+v: nothing was said of it", c)
			}
			w.pool.Force(w.now, nil)
			if !w.gets("i0") {
				w.t.Error("it gets nothing")
			}
		},
		"panic does not bring it back": func(w *world) {
			w.pool.Force(w.now, map[string]bool{"i0": true})
			for _, id := range []string{"i1", "i2", "i3"} {
				w.sends(id, 5, Error)
			}
			if !w.pool.Panicking() || w.gets("i0") {
				w.t.Error("want panic among the three others")
			}
			if r := w.request(); true {
				r.Usable = only("i0")
				if _, ok := w.pool.Pick(r); ok {
					w.t.Error("it gets a request when nobody else can be reached")
				}
			}
		},
		"it is not probed": func(w *world) {
			w.sends("i0", 5, Error)
			w.pool.Force(w.now, map[string]bool{"i0": true})
			w.now += base
			if w.gets("i0") {
				w.t.Error("it is probed")
			}
			w.pool.Force(w.now, map[string]bool{})
			w.is("i0", Probing, HoldOver)
			w.probes("i0", 3, OK)
		},
		"it is no reason to panic": func(w *world) {
			w.pool.Force(w.now, map[string]bool{"i0": true, "i1": true, "i2": true})
			if w.pool.Panicking() {
				w.t.Error("one of the one that is left is there")
			}
		},
		"it does not widen the share of the fleet's verdicts": func(w *world) {
			w.pool.Force(w.now, map[string]bool{"i0": true, "i1": true})
			for _, m := range w.who {
				w.says(m.ID, bad())
			}
			if w.pool.Panicking() || w.choice("i2").State == w.choice("i3").State {
				w.t.Error("want one of the two that are left out")
			}
		},
		"what the caller does with its map later changes nothing": func(w *world) {
			out := map[string]bool{"i0": true}
			w.pool.Force(w.now, out)
			clear(out)
			w.update()
			if w.gets("i0") {
				w.t.Error("it gets requests")
			}
		},
		"nobody is left: nobody gets a request": func(w *world) {
			out := make(map[string]bool)
			for _, m := range w.who {
				out[m.ID] = true
			}
			w.pool.Force(w.now, maps.Clone(out))
			if _, ok := w.pool.Pick(w.request()); ok {
				w.t.Error("somebody got one")
			}
		},
	} {
		t.Run(name, func(t *testing.T) { tell(newWorld(t, 4)) })
	}
}

func TestABaseOfNoneAndAHugeOneAreHarmless(t *testing.T) {
	for _, base := range []time.Duration{0, math.MaxInt64 / 4} {
		w := newWorld(t, 4)
		w.configure(func(s *Settings) { s.Ejection.Base = base })
		w.sends("i0", 5, Error)
		for range 100 {
			w.now += time.Minute
			w.picks(10, nil)
		}
	}
}

func TestAShareThatIsTighterThanPanicBoundsWhatARouterItselfSees(t *testing.T) {
	w := newWorld(t, 10)
	w.configure(func(s *Settings) { s.Ejection.Share = 0.2 })
	for i := range 4 {
		w.sends(fmt.Sprint("i", i), DefaultConsecutive, Error)
	}
	for i, want := range []State{Ejected, Ejected, Active, Active} {
		if c := w.choice(fmt.Sprint("i", i)); c.State != want {
			t.Errorf("i%d is in state %d, want %d: two of ten may be out", i, c.State, want)
		}
	}
}
