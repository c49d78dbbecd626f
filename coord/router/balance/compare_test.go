// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// serves sends n requests to each instance, spread over the ten seconds that follow, of which
// it fails some and for which it takes some time. Nobody fails so often that this alone would
// take it out.
func (w *world) serves(n int, fails map[string]float64, takes map[string]time.Duration) {
	w.t.Helper()
	owed := make(map[string]float64)
	for range n {
		for _, m := range w.who {
			if w.choice(m.ID).State != Active {
				continue
			}
			a := w.begin(m.ID)
			took := takes[m.ID]
			if took == 0 {
				took = 10 * time.Millisecond
			}
			outcome := OK
			if owed[m.ID] += fails[m.ID]; owed[m.ID] >= 1 {
				owed[m.ID]--
				outcome = Error
			}
			w.ends(a, took, outcome, Measured)
		}
		w.now += compareEvery * 95 / 100 / time.Duration(n)
	}
}

// ends ends an attempt that took some time, as if it had begun that long ago.
func (w *world) ends(a Attempt, took time.Duration, outcome Outcome, speed Speed) {
	a.start = w.now - took
	a.Done(0, w.now, outcome, speed)
}

// compares lets the pool compare its instances.
func (w *world) compares() {
	w.now = max(w.now, w.pool.compared+compareEvery)
	w.pool.Update(w.now, w.who, w.fleet)
}

func TestComparison(t *testing.T) {
	const enough = compareVolume + 20
	for name, tell := range map[string]func(*world){
		"a success rate far below the others' takes an instance out": func(w *world) {
			w.serves(enough, map[string]float64{"i3": 0.3}, nil)
			w.is("i3", Active, None)
			w.compares()
			w.is("i3", Ejected, Outlier)
			e := w.events[len(w.events)-1]
			if f := e.Figures[0]; f.Name != "success_rate" || math.Abs(f.Value-0.7) > 0.02 || f.Threshold <= f.Value || f.Threshold > 0.95 {
				w.t.Errorf("figures %+v", e.Figures)
			}
		},
		"one that is only 5 points below is kept, whatever the deviation": func(w *world) {
			w.serves(enough, map[string]float64{"i3": 0.04}, nil) // of nine others, all perfect
			w.compares()
			w.is("i3", Active, None)
		},
		"where all fail alike nobody stands out": func(w *world) {
			fails := make(map[string]float64)
			for _, m := range w.who {
				fails[m.ID] = 0.3
			}
			w.serves(enough, fails, nil)
			w.compares()
			for _, m := range w.who {
				w.is(m.ID, Active, None)
			}
		},
		"too few requests are not compared": func(w *world) {
			w.serves(compareVolume-10, map[string]float64{"i3": 0.3}, nil)
			w.compares()
			w.is("i3", Active, None)
		},
		"nor are fewer than five instances": func(w *world) {
			w.who = w.who[:4]
			w.update()
			w.serves(enough, map[string]float64{"i3": 0.3}, nil)
			w.compares()
			w.is("i3", Active, None)
		},
		"a deviation of zero compares no success rates": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Stdev = 0 })
			w.serves(enough, map[string]float64{"i3": 0.3}, nil)
			w.compares()
			w.is("i3", Active, None)
		},
		"more deviations than it is away keep an instance": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Stdev = 4 }) // one of ten is three away
			w.serves(enough, map[string]float64{"i3": 0.3}, nil)
			w.compares()
			w.is("i3", Active, None)
		},
		"a latency above the factor takes an instance out": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Latency = 3 })
			w.serves(enough, nil, map[string]time.Duration{"i3": 40 * time.Millisecond})
			w.compares()
			w.is("i3", Ejected, Sluggish)
			f := w.events[len(w.events)-1].Figures[0]
			if f.Name != "latency" || math.Abs(f.Value-0.040) > 0.001 || math.Abs(f.Threshold-0.030) > 0.001 {
				w.t.Errorf("figure %+v, want 40 ms against 30 ms", f)
			}
		},
		"one below it does not": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Latency = 3 })
			w.serves(enough, nil, map[string]time.Duration{"i3": 28 * time.Millisecond})
			w.compares()
			w.is("i3", Active, None)
		},
		"without a factor latency is not compared": func(w *world) {
			w.serves(enough, nil, map[string]time.Duration{"i3": time.Second})
			w.compares()
			w.is("i3", Active, None)
		},
		"one slow answer just now is no slow instance": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Latency = 3 })
			w.serves(enough, nil, nil)
			w.ends(w.begin("i3"), time.Second, OK, Measured)
			w.compares()
			w.is("i3", Active, None)
		},
		"nor is who answered last of all": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Latency = 3 })
			w.serves(2*enough, nil, nil)
			w.now += 2 * time.Second
			w.ends(w.begin("i3"), 10*time.Millisecond, OK, Measured) // the others' have decayed
			w.compares()
			w.is("i3", Active, None)
		},
		"streams and failures are not timed": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Latency = 3 })
			w.now += time.Hour
			w.serves(enough, nil, nil)
			for range 20 {
				w.ends(w.begin("i3"), time.Minute, OK, Unrelated)
			}
			w.ends(w.begin("i3"), time.Minute, Timeout, Measured)
			w.compares()
			w.is("i3", Active, None)
		},
		"they are compared every ten seconds, not sooner": func(w *world) {
			w.serves(enough, nil, nil)
			w.compares()
			at := w.now
			w.serves(enough, map[string]float64{"i3": 0.3}, nil)
			w.update()
			w.is("i3", Active, None)
			w.now = at + compareEvery
			w.gets("i1") // time alone does it
			w.is("i3", Ejected, Outlier)
		},
		"no more are out than the share": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Share, s.Ejection.Stdev = 0.2, 0.5 })
			fails := map[string]float64{"i1": 0.3, "i3": 0.3, "i5": 0.3, "i7": 0.3}
			w.serves(enough, fails, nil)
			w.compares()
			if out := w.out(); out != 2 {
				w.t.Errorf("%d of 10 are out, want 2", out)
			}
		},
		"those that are out already count in the share": func(w *world) {
			w.configure(func(s *Settings) { s.Ejection.Share, s.Ejection.Stdev = 0.2, 0.5 })
			w.sends("i9", 5, Error)
			w.serves(enough, map[string]float64{"i1": 0.3, "i3": 0.3}, nil)
			w.compares()
			if out := w.out(); out != 2 {
				w.t.Errorf("%d of 10 are out, want 2", out)
			}
		},
		"who was out is compared by what it did since": func(w *world) {
			w.serves(enough, map[string]float64{"i3": 0.3}, nil)
			w.compares()
			w.now += base
			w.probes("i3", 3, OK)
			w.is("i3", Active, Probed)
			w.serves(enough, nil, nil)
			w.compares()
			w.is("i3", Active, Probed)
		},
	} {
		t.Run(name, func(t *testing.T) { tell(newWorld(t, 10)) })
	}
}

// out returns how many are out of rotation by their state.
func (w *world) out() int {
	n := 0
	for _, c := range w.pool.Explain(w.now) {
		if c.State != Active {
			n++
		}
	}
	return n
}

func TestTheShareIsNotLessByRounding(t *testing.T) {
	for _, of := range []struct {
		share     float64
		instances int
		want      int
	}{{0.29, 100, 29}, {0.07, 100, 7}, {0.1, 30, 3}, {0.5, 5, 2}, {0, 100, 0}, {1, 7, 7}} {
		p := New(Settings{Policy: Weighted{}, Ejection: Ejection{Share: of.share}}, nil)
		if got := p.limit(of.instances); got != of.want {
			t.Errorf("%v of %d is %d, want %d", of.share, of.instances, got, of.want)
		}
	}
}

func TestASubsetIsComparedWithItself(t *testing.T) {
	w := newWorld(t, 100)
	w.configure(func(s *Settings) { s.Subset, s.Caller, s.Ejection.Share, s.Ejection.Stdev = 10, "me", 0.2, 0.5 })
	var mine []Member
	for _, n := range w.pool.known {
		mine = append(mine, *n.member.Load())
	}
	all := w.who
	w.who = mine
	fails := make(map[string]float64)
	for i := range 4 {
		fails[mine[i].ID] = 0.3
	}
	serve := w.who
	w.serves(compareVolume+20, fails, nil)
	w.who = all
	w.compares()
	if out := w.out(); out != 2 {
		t.Errorf("%d of the %d that it knows are out, want a fifth", out, len(serve))
	}
}

func TestHoldsOfCallersDiffer(t *testing.T) {
	holds := make(map[time.Duration]bool)
	for i := range 50 {
		w := newWorld(t, 4)
		w.configure(func(s *Settings) { s.Caller = fmt.Sprint("caller", i) })
		w.sends("i0", 5, Error)
		hold := w.choice("i0").Hold
		holds[hold] = true
		if hold < base || hold > base*6/5 {
			t.Errorf("hold %v, want 30 to 36 s", hold)
		}
		w.node("i0").episode = 1000
		if hold := w.pool.hold(w.node("i0")); hold > 5*time.Minute || hold < 4*time.Minute {
			t.Errorf("the longest hold is %v", hold)
		}
	}
	if len(holds) < 45 {
		t.Errorf("fifty callers have %d holds", len(holds))
	}
}
