// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Where nothing is asked, because requests are short, what instances say with their answers
// decides; estimates of what a request costs at instances that are alike differ a little.
func TestIdleInstancesThatAreAlikeShareTheRequests(t *testing.T) {
	w := newWorld(t, 3)
	w.fleet = &signal.Fleet{Instances: make(map[string]*signal.Signal)}
	for i, m := range w.who {
		w.fleet.Instances[m.ID] = &signal.Signal{ID: m.ID, Verdict: good(), Parallelism: 2,
			ServiceDemand: 300*time.Microsecond + time.Duration(i)*20*time.Microsecond}
	}
	w.update()
	got := make(map[string]int)
	const requests = 3000
	for range requests {
		a, ok := w.pool.Pick(Request{Now: w.now, Random: w.random})
		if !ok {
			t.Fatal("nobody takes a request")
		}
		got[a.Node().ID()]++
		w.now += time.Millisecond
		a.Says(w.now, Report{Latency: time.Millisecond})
		a.Done(0, w.now, OK, Measured)
		w.now += 20 * time.Millisecond
	}
	for _, m := range w.who {
		if n := got[m.ID]; n < requests/3*8/10 {
			t.Errorf("%s got %d of %d requests: %v", m.ID, n, requests, got)
		}
	}
}
