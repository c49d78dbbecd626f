// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"testing"
	"time"
)

func TestSlowStart(t *testing.T) {
	const slow = 20 * time.Second
	for name, tell := range map[string]func(*world){
		"who comes later gets a tenth at first, and all in the end": func(w *world) {
			w.joins("new")
			for _, of := range []struct {
				later time.Duration
				ramp  float64
			}{{0, 0.1}, {slow / 4, 0.25}, {slow / 2, 0.5}, {slow, 1}} {
				w.now += of.later
				near(w.t, w.picks(20_000, nil), map[string]float64{"new": of.ramp / (4 + of.ramp)}, 0.012)
				if c := w.choice("new"); c.Ramp != of.ramp {
					w.t.Errorf("ramp %v after %v, want %v", c.Ramp, of.later, of.ramp)
				}
				w.now -= of.later
			}
		},
		"who was there from the start does not ramp": func(w *world) {
			for _, c := range w.pool.Explain(w.now) {
				if c.Ramp != 1 {
					w.t.Errorf("%s has a ramp of %v", c.Member.ID, c.Ramp)
				}
			}
		},
		"who left and came again does": func(w *world) {
			w.who = w.who[1:]
			w.update()
			w.joins("i0")
			if c := w.choice("i0"); c.Ramp != 0.1 {
				w.t.Errorf("ramp %v", c.Ramp)
			}
		},
		"who is heard of a moment after the first does not": func(w *world) {
			w.now -= time.Millisecond
			w.joins("new")
			if c := w.choice("new"); c.Ramp != 1 {
				w.t.Errorf("ramp %v", c.Ramp)
			}
		},
		"who vanished with many others, and is back unconfirmed, does not": func(w *world) {
			back := w.who[0]
			w.who = w.who[1:]
			w.update()
			back.Unconfirmed = true
			w.who = append(w.who, back)
			w.update()
			if c := w.choice("i0"); c.Ramp != 1 {
				w.t.Errorf("ramp %v", c.Ramp)
			}
		},
		"who only was out of service does not": func(w *world) {
			w.who[0].InService = false
			w.update()
			w.who[0].InService = true
			w.update()
			if c := w.choice("i0"); c.Ramp != 1 {
				w.t.Errorf("ramp %v", c.Ramp)
			}
		},
		"without the setting nobody does": func(w *world) {
			w.configure(func(*Settings) {})
			w.joins("new")
			if c := w.choice("new"); c.Ramp != 1 {
				w.t.Errorf("ramp %v", c.Ramp)
			}
		},
		"a fleet that is all new shares alike": func(w *world) {
			w.who = nil
			for _, id := range []string{"n0", "n1", "n2", "n3"} {
				w.who = append(w.who, Member{ID: id, Weight: 1, InService: true})
			}
			w.update()
			near(w.t, w.picks(20_000, nil), map[string]float64{"n0": 0.25, "n1": 0.25, "n2": 0.25, "n3": 0.25}, 0.02)
		},
		"who comes back from an ejection ramps for five seconds, whatever the setting": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base
			w.probes("i0", 2, OK)
			w.begin("i0").Done(0, w.now, OK, Measured)
			w.now += rampTime / 2
			if c := w.choice("i0"); c.Ramp != 0.5 {
				w.t.Errorf("ramp %v, want half", c.Ramp)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := under(t, Weighted{}, 4)
			w.configure(func(s *Settings) { s.SlowStart = slow })
			w.now += settling
			tell(w)
		})
	}
}

// joins adds an instance.
func (w *world) joins(id string) {
	w.who = append(w.who, Member{ID: id, Weight: 1, InService: true})
	w.update()
}
