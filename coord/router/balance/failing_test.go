// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// An instance that fails at once uses no CPU time for what it fails, has few requests in flight
// and is no slower than others: everything that balances by load finds it the best.
func TestAnInstanceThatFailsFastAttractsNobody(t *testing.T) {
	for name, known := range map[string]bool{"whose capacity the fleet knows": true, "of which only its reports are known": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 10)
			chance := rand.New(rand.NewPCG(5, 6))
			if known {
				w.fleet = &signal.Fleet{Instances: make(map[string]*signal.Signal)}
				for _, m := range w.who {
					s := &signal.Signal{ID: m.ID, Verdict: good(), ServiceDemand: 10 * time.Millisecond, Parallelism: 4}
					if m.ID == "i0" {
						s.ServiceDemand = 7 * time.Millisecond // of all of its requests, of which three cost nothing
					}
					w.fleet.Instances[m.ID] = s
				}
				w.update()
			}
			got := 0
			const requests = 5000
			for n := range requests {
				a, ok := w.pool.Pick(Request{Now: w.now, Random: w.random})
				if !ok {
					t.Fatal("nobody takes a request")
				}
				r := Request{Now: w.now, Random: w.random}
				w.pool.Ask(r, func(n *Node) { w.pool.Heard(r, n, Report{Latency: 10 * time.Millisecond}) })
				outcome := OK
				took := 10 * time.Millisecond
				if a.Node().ID() == "i0" {
					if n >= requests/10 {
						got++ // once it is known
					}
					if chance.Float64() < 0.3 {
						outcome, took = Error, time.Millisecond
					}
				}
				w.now += took
				a.Says(w.now, Report{Latency: 10 * time.Millisecond})
				a.Done(0, w.now, outcome, Measured)
			}
			t.Logf("it got %.1f %% of the requests", 100*float64(got)/(requests*0.9))
			if got > requests*9/10*5/100 {
				t.Error("want at most half of its part, which is a tenth")
			}
		})
	}
}

func TestWhatFailedOnceIsForgotten(t *testing.T) {
	var f failing
	now := time.Hour
	for range 100 {
		f.observe(now, true)
	}
	if p := f.price(now); p < 1+0.99*failureCost {
		t.Errorf("all fail, and the price is %v", p)
	}
	if p := f.price(now + 5*failureMemory); p > 1.05 {
		t.Errorf("long after, the price is %v", p)
	}
	for range 400 {
		f.observe(now, false)
	}
	if p := f.price(now); p != 1 {
		t.Errorf("all succeed again, and the price is %v", p)
	}
}
