// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"slices"
	"testing"
)

// varied is a world of four, of which i0 and i1 are the variant "canary".
func varied(t testing.TB, policy Policy) *world {
	w := under(t, policy, 4)
	w.configure(func(s *Settings) {
		s.Variants = map[string]func(Member) bool{
			"canary": func(m Member) bool { return m.ID == "i0" || m.ID == "i1" },
			"empty":  func(Member) bool { return false },
		}
	})
	return w
}

func canary(r *Request) { r.Variant = "canary" }

func TestARequestOfAVariantGoesToItsInstancesUnderEveryPolicy(t *testing.T) {
	for name, policy := range policies {
		w := varied(t, policy())
		got := w.picks(2000, canary)
		if got["i2"]+got["i3"] > 0 || got["i0"] < 0.3 || got["i1"] < 0.3 {
			t.Errorf("%s: shares %v", name, got)
		}
		for range 200 {
			r := w.request()
			r.Variant = "canary"
			w.pool.Ask(r, func(n *Node) {
				if n.ID() == "i2" || n.ID() == "i3" {
					t.Errorf("%s: asked %s", name, n.ID())
				}
			})
		}
	}
}

func TestVariants(t *testing.T) {
	for name, tell := range map[string]func(*world){
		"a request without one goes to all": func(w *world) {
			near(w.t, w.picks(4000, nil), map[string]float64{"i0": 0.25, "i1": 0.25, "i2": 0.25, "i3": 0.25}, 0.04)
		},
		"while one of its instances is in rotation that gets all": func(w *world) {
			w.sends("i0", 5, Error)
			if got := w.picks(500, canary); got["i1"] < 0.999 {
				w.t.Errorf("shares %v, want all for i1", got)
			}
		},
		"with none in rotation another version's answer is better than none": func(w *world) {
			w.sends("i0", 5, Error)
			w.sends("i1", 5, Error)
			near(w.t, w.picks(500, canary), map[string]float64{"i2": 0.5, "i3": 0.5}, 0.1)
		},
		"so it is where none of them can be reached": func(w *world) {
			got := w.picks(500, func(r *Request) {
				r.Variant, r.Usable = "canary", func(n *Node) bool { return n.ID() != "i0" && n.ID() != "i1" }
			})
			near(w.t, got, map[string]float64{"i2": 0.5, "i3": 0.5}, 0.1)
		},
		"and with a variant that nobody is, or that nobody knows": func(w *world) {
			for _, name := range []string{"empty", "unheard of"} {
				near(w.t, w.picks(4000, func(r *Request) { r.Variant = name }), map[string]float64{"i0": 0.25, "i3": 0.25}, 0.04)
			}
		},
		"a probe that is due takes no request of another variant": func(w *world) {
			w.sends("i3", 5, Error)
			w.now += base
			w.is("i3", Probing, HoldOver)
			r := w.request()
			r.Variant = "canary"
			for range 50 {
				if a, _ := w.pool.Pick(r); !slices.Contains([]string{"i0", "i1"}, a.Node().ID()) {
					w.t.Fatalf("%s got a request of the canary", a.Node().ID())
				}
			}
			w.now++
			if a, _ := w.pool.Pick(w.request()); a.Node().ID() != "i3" || !a.Probe() {
				w.t.Error("the next one that is limited to nothing should be the probe")
			}
		},
		"its own are probed by its requests": func(w *world) {
			w.sends("i0", 5, Error)
			w.now += base
			r := w.request()
			r.Variant = "canary"
			if a, _ := w.pool.Pick(r); a.Node().ID() != "i0" || !a.Probe() {
				w.t.Error("want a probe of i0")
			}
		},
		"an instance that becomes another version leaves it": func(w *world) {
			w.configure(func(s *Settings) {
				s.Variants = map[string]func(Member) bool{"canary": func(m Member) bool { return m.Target == "new" }}
			})
			w.who[2].Target = "new"
			w.update()
			if got := w.picks(100, canary); got["i2"] < 0.999 {
				w.t.Errorf("shares %v, want all for i2", got)
			}
			w.who[2].Target, w.who[3].Target = "old", "new"
			w.update()
			if got := w.picks(100, canary); got["i3"] < 0.999 {
				w.t.Errorf("shares %v, want all for i3", got)
			}
		},
		"it goes before the zone": func(w *world) {
			w.who[2].Zone, w.who[3].Zone = "a", "a"
			w.configure(func(s *Settings) {
				s.Zone, s.Variants = "a", map[string]func(Member) bool{"canary": func(m Member) bool { return m.ID == "i0" }}
			})
			w.update()
			if got := w.picks(100, canary); got["i0"] < 0.999 {
				w.t.Errorf("shares %v, want all for i0", got)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { tell(varied(t, Weighted{})) })
	}
}
