// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// TestAllAtOnce is for the race detector, and for what must hold once all is quiet, under each
// policy.
func TestAllAtOnce(t *testing.T) {
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) { allAtOnce(t, policy) })
	}
}

func allAtOnce(t *testing.T, policy func() Policy) {
	w := under(t, policy(), 20)
	started := time.Now()
	now := func() time.Duration { return time.Hour + 1000*time.Since(started) } // holds end within the test
	out := make(map[*Node]bool)                                                 // without a lock: events come one at a time
	w.pool.observe = func(e Event) {
		switch {
		case e.Kind == Left:
			out[e.Node] = true
		case e.Kind == Returned && !out[e.Node]:
			t.Errorf("%s returned, and had not left: events are out of order", e.Node.ID())
		case e.Kind == Returned:
			out[e.Node] = false
			w.pool.Explain(now())
		}
		if e.Rotation > e.Instances || e.Kind != Panicked && e.Node == nil {
			t.Errorf("event %+v", e)
		}
	}
	request := func() Request {
		return Request{
			Now: now(), Random: rand.IntN, Key: rand.Uint64N(100), Variant: []string{"", "", "even", "none"}[rand.IntN(4)],
		}
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10_000 {
				r := request()
				a, ok := w.pool.Pick(r)
				if !ok {
					continue // an operator may have taken all of a subset out
				}
				outcome := OK
				if rand.IntN(4) == 0 || a.Node().ID() == "i3" {
					outcome = Outcome(rand.IntN(int(Outcomes)))
				}
				w.pool.Ask(r, func(n *Node) {
					w.pool.Heard(r, n, Report{InFlight: rand.IntN(10), Latency: time.Millisecond})
				})
				a.Says(now(), Report{InFlight: rand.IntN(10)})
				a.Done(0, now(), outcome, Speed(rand.IntN(3)))
			}
		})
	}
	all.Go(func() {
		for range 200 {
			fleet := &signal.Fleet{Instances: map[string]*signal.Signal{
				"i3": {Verdict: signal.Verdict{State: signal.State(rand.IntN(3)), Weight: rand.Float64()}},
				"i4": {Verdict: good(), ServiceDemand: time.Millisecond, Parallelism: rand.Float64()},
			}}
			w.pool.Update(now(), w.who[:10+rand.IntN(10)], fleet)
			w.pool.Explain(now())
			w.pool.Unreachable(now(), "i5")
		}
	})
	all.Go(func() {
		for range 200 {
			w.pool.Force(now(), map[string]bool{w.who[rand.IntN(20)].ID: true})
			w.pool.Panicking()
		}
	})
	all.Go(func() {
		for i := range 200 {
			s := Default()
			s.Policy = w.pool.Policy()
			if i%20 == 0 {
				s.Policy = policy()
			}
			s.Ejection.Mode = []Mode{Act, Act, Observe, Off}[rand.IntN(4)]
			s.Ejection.Latency, s.SlowStart = 3, time.Duration(rand.IntN(10))*time.Second
			s.Zone, s.Caller, s.Subset = []string{"", "a"}[rand.IntN(2)], "me", rand.IntN(8)
			s.Variants = map[string]func(Member) bool{
				"even": func(m Member) bool { return m.ID[len(m.ID)-1]%2 == 0 }, "none": func(Member) bool { return false },
			}
			w.pool.Configure(now(), s)
		}
	})
	all.Wait()
	if p, ok := w.pool.Policy().(*ConsistentHash); ok && p.inFlight.Load() != 0 {
		t.Errorf("it counts %d in flight, and all is over", p.inFlight.Load())
	}
	w.configure(func(*Settings) {})
	w.pool.Force(now(), nil)
	w.pool.Update(now(), w.who, nil)
	for _, c := range w.pool.Explain(now()) {
		if c.InFlight != 0 {
			t.Errorf("%s has %d in flight", c.Member.ID, c.InFlight)
		}
	}
	// Every instance that is out gets its probes, whatever interleaving there was.
	for later, i := now(), 0; i < 10_000; i++ {
		later += 100 * time.Millisecond
		a, _ := w.pool.Pick(Request{Now: later, Random: rand.IntN})
		a.Done(0, later, OK, Measured)
	}
	for _, c := range w.pool.Explain(now() + 2000*time.Second) {
		if c.State != Active {
			t.Errorf("%s is still in state %d", c.Member.ID, c.State)
		}
	}
}

// TestAnAnswerOfManyGoroutinesIsUsedAboutAsOftenAsItMay: the pool of answers takes no lock, and
// a race that is lost costs a use at most.
func TestAnAnswerOfManyGoroutinesIsUsedAboutAsOftenAsItMay(t *testing.T) {
	const goroutines, uses = 8, 500
	w := newWorld(t, 8)
	p, c := pooled(w, uses)
	r := w.request()
	r.Random = rand.IntN
	var all sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range goroutines {
		all.Go(func() {
			for n := 0; ; n++ {
				if _, ok := p.choose(c, r, byInFlight, 0); !ok {
					mu.Lock()
					total += n
					mu.Unlock()
					return
				}
			}
		})
	}
	all.Wait()
	if total < 7*uses || total > 8*uses+8*goroutines {
		t.Errorf("seven answers of %d uses were used %d times", uses, total)
	}
}
