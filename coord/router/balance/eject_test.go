// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

func TestEjection(t *testing.T) {
	for name, tell := range map[string]func(*world){
		"five failures in a row take an instance out": func(w *world) {
			w.sends("i0", 4, Error)
			w.is("i0", Active, None)
			w.sends("i0", 1, Timeout)
			w.is("i0", Ejected, Consecutive)
			if w.gets("i0") {
				w.t.Error("it still gets requests")
			}
		},
		"a success between failures starts the count again": func(w *world) {
			w.sends("i0", 8, OK)
			w.sends("i0", 4, Error)
			w.sends("i0", 1, OK)
			w.sends("i0", 4, Error)
			w.is("i0", Active, None)
		},
		"half of ten requests of ten seconds take it out": func(w *world) {
			for range 4 {
				w.sends("i0", 1, OK)
				w.sends("i0", 1, Error)
			}
			w.is("i0", Active, None)
			w.sends("i0", 1, OK)
			w.sends("i0", 1, Error)
			w.is("i0", Ejected, Ratio)
		},
		"half of ten requests of a minute do not": func(w *world) {
			for range 10 {
				w.sends("i0", 1, OK)
				w.sends("i0", 1, Error)
				w.now += 3 * time.Second
			}
			w.is("i0", Active, None)
		},
		"what the caller gave up says nothing": func(w *world) {
			w.sends("i0", 100, Cancelled)
			w.is("i0", Active, None)
			if c := w.choice("i0"); c.InFlight != 0 || c.Latency != 0 {
				w.t.Errorf("in flight %d, latency %v", c.InFlight, c.Latency)
			}
		},
		"one refused connection does not take a confirmed instance out": func(w *world) {
			w.sends("i0", 1, Refused)
			w.is("i0", Active, None)
		},
		"one refused connection takes an unconfirmed instance out": func(w *world) {
			w.who[0].Unconfirmed = true
			w.update()
			w.sends("i0", 1, Refused)
			w.is("i0", Ejected, Unreachable)
		},
		"one success confirms an unconfirmed instance": func(w *world) {
			w.who[0].Unconfirmed = true
			w.update()
			w.sends("i0", 1, OK)
			w.sends("i0", 1, Refused)
			w.is("i0", Active, None)
		},
		"after the hold it is probed, and three successes return it": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base - time.Millisecond
			w.is("i0", Ejected, Consecutive)
			w.now += time.Millisecond
			w.is("i0", Probing, HoldOver)
			w.probes("i0", 2, OK)
			w.is("i0", Probing, HoldOver)
			w.probes("i0", 1, OK)
			w.is("i0", Active, Probed)
		},
		"one probe at a time": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base
			a := w.begin("i0")
			if !a.Probe() || w.gets("i0") {
				w.t.Error("want one probe, and no second while it is in flight")
			}
			a.Done(0, w.now, OK, Measured)
			if w.gets("i0") {
				w.t.Error("the next probe comes before the gap is over")
			}
			w.now += base / 10
			if !w.gets("i0") {
				w.t.Error("no probe after the gap")
			}
		},
		"a probe that nobody ends does not keep it out for ever": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base
			w.begin("i0")
			w.now += base
			w.probes("i0", 3, OK)
			w.is("i0", Active, Probed)
		},
		"a failed probe takes it out for longer": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base
			w.probes("i0", 1, Error)
			w.is("i0", Ejected, FailedProbe)
			if c := w.choice("i0"); c.Episode != 2 || c.Hold < 50*time.Second {
				w.t.Errorf("episode %d, hold %v; want 2, a minute", c.Episode, c.Hold)
			}
		},
		"a cancelled probe is no probe": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base
			w.probes("i0", 5, Cancelled)
			w.is("i0", Probing, HoldOver)
		},
		"who comes back gets a tenth at first, and all after five seconds": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base
			w.probes("i0", 2, OK)
			a := w.begin("i0")
			a.Done(0, w.now, OK, Measured)
			share := func() float64 {
				n := 0
				for range 10_000 {
					if i := w.pool.table.Load().rotation.Draw(Request{Now: w.now, Random: w.random}); i == 0 {
						n++
					}
				}
				return float64(n) / 10_000
			}
			if s := share(); s < 0.02 || s > 0.05 {
				w.t.Errorf("it gets %.3f of the draws at first, want 0.1/3.1", s)
			}
			w.now += rampTime
			if s := share(); s < 0.23 || s > 0.27 {
				w.t.Errorf("it gets %.3f of the draws in the end, want 0.25", s)
			}
		},
		"a long stay in rotation ends the count of episodes": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base
			w.probes("i0", 3, OK)
			w.sends("i0", 5, Error)
			if c := w.choice("i0"); c.Episode != 2 {
				w.t.Errorf("episode %d soon after, want 2", c.Episode)
			}
			w.now += 2 * base
			w.probes("i0", 3, OK)
			w.now += 2 * base
			w.sends("i0", 5, Error)
			if c := w.choice("i0"); c.Episode != 1 {
				w.t.Errorf("episode %d after two holds in rotation, want 1", c.Episode)
			}
		},
		"what began before the ejection does not count after it": func(w *world) {
			slow := w.begin("i0")
			w.sends("i0", 5, Error)
			w.now += base
			w.probes("i0", 1, OK)
			slow.Done(0, w.now, Timeout, Measured)
			w.is("i0", Probing, HoldOver)
		},
		"a draining instance gets nothing new and keeps what it has": func(w *world) {
			a := w.begin("i0")
			w.who[0].InService = false
			w.update()
			if w.gets("i0") {
				w.t.Error("it gets requests")
			}
			if c := w.choice("i0"); c.InFlight != 1 {
				w.t.Errorf("in flight %d, want 1", c.InFlight)
			}
			a.Done(0, w.now, OK, Measured)
		},
		"state survives changes of the membership": func(w *world) {
			w.sends("i0", 5, Error)
			w.who = w.who[:3]
			w.update()
			w.is("i0", Ejected, Consecutive)
		},
		"with fewer than half left ejections are ignored": func(w *world) {
			w.sends("i0", 5, Error)
			w.sends("i1", 5, Error)
			if w.gets("i0") {
				w.t.Error("two of four are left: no reason to panic")
			}
			w.sends("i2", 5, Error)
			if !w.gets("i0") || !w.pool.Panicking() {
				w.t.Error("one of four is left: ejections should be ignored")
			}
			if e := w.events[len(w.events)-1]; e.Kind != Panicked || e.Instances != 4 || e.Rotation != 1 ||
				len(e.Figures) != 1 || e.Figures[0] != (Figure{"in_rotation", 0.25, DefaultPanic}) {
				w.t.Errorf("event %+v", e)
			}
		},
		"in panic twenty successes return an instance": func(w *world) {
			for _, id := range []string{"i0", "i1", "i2", "i3"} {
				w.sends(id, 5, Error)
			}
			w.sends("i0", 19, OK)
			w.is("i0", Ejected, Consecutive)
			w.sends("i0", 1, OK)
			w.is("i0", Active, Succeeded)
		},
		"unconfirmed instances that refuse are no reason to panic": func(w *world) {
			for i := 1; i < 4; i++ {
				w.who[i].Unconfirmed = true
			}
			w.update()
			for _, id := range []string{"i1", "i2", "i3"} {
				w.sends(id, 1, Refused)
			}
			if w.pool.Panicking() || w.gets("i1") || !w.gets("i0") {
				w.t.Error("want only the one that is there")
			}
			w.sends("i0", 5, Error)
			if !w.gets("i0") || w.gets("i1") {
				w.t.Error("want the one that is there, whatever it answers")
			}
		},
		"when all have vanished and refuse, all are tried": func(w *world) {
			for i := range w.who {
				w.who[i].Unconfirmed = true
			}
			w.update()
			for _, m := range w.who {
				w.sends(m.ID, 1, Refused)
			}
			if !w.gets("i0") || !w.gets("i3") {
				w.t.Error("nobody gets requests")
			}
		},
		"each ejection is told once, with its hold": func(w *world) {
			w.sends("i0", 5, Error)
			if len(w.events) != 1 {
				w.t.Fatalf("events %+v", w.events)
			}
			e := w.events[0]
			if e.Kind != Left || !e.Local || e.Node.ID() != "i0" || e.Reason != Consecutive || e.Hold != signal.Hold(base, 1) || e.Instances != 4 || e.Rotation != 3 {
				w.t.Errorf("event %+v", e)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { tell(newWorld(t, 4)) })
	}
}
