// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"testing"
	"time"
)

// An instance that hangs never fails where requests are hedged: another answers, and the
// attempt is given up. That it was too slow is all that can be known, and must be.
func TestAnInstanceThatAlwaysLosesItsHedgesGetsLess(t *testing.T) {
	w := newWorld(t, 3)
	got := 0
	for i := range 3000 {
		a, ok := w.pool.Pick(w.request())
		if !ok {
			t.Fatal("nobody takes a request")
		}
		if a.Node().ID() == "i0" {
			w.now += 100 * time.Millisecond // the hedge's answer
			a.Done(0, w.now, Outlasted, Measured)
			if i >= 1000 {
				got++
			}
			continue
		}
		w.now += 10 * time.Millisecond
		a.Done(0, w.now, OK, Measured)
	}
	if got > 100 {
		t.Errorf("it got %d of 2000 requests, want 100 at most", got)
	}
	if c := w.choice("i0"); c.State != Active || c.InFlight != 0 {
		t.Errorf("it is in state %d with %d in flight: that it lost is no failure", c.State, c.InFlight)
	}
}
