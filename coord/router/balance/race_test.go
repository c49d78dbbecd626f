// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// TestAllAtOnce is for the race detector, and for what must hold once all is quiet.
func TestAllAtOnce(t *testing.T) {
	w := newWorld(t, 20)
	w.pool.observe = nil
	started := time.Now()
	now := func() time.Duration { return time.Hour + 1000*time.Since(started) } // holds end within the test
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20_000 {
				a, ok := w.pool.Pick(Request{Now: now(), Random: rand.IntN})
				if !ok {
					t.Error("nobody takes a request")
					return
				}
				outcome := OK
				if rand.IntN(4) == 0 || a.Node().ID() == "i3" {
					outcome = Outcome(rand.IntN(int(Outcomes)))
				}
				a.Done(0, now(), outcome, Measured)
			}
		})
	}
	all.Go(func() {
		for range 200 {
			fleet := &signal.Fleet{Instances: map[string]*signal.Signal{
				"i3": {Verdict: signal.Verdict{State: signal.State(rand.IntN(3)), Weight: rand.Float64()}},
			}}
			w.pool.Update(now(), w.who[:10+rand.IntN(10)], fleet)
			w.pool.Explain(now())
		}
	})
	all.Wait()
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
