// SPDX-License-Identifier: Apache-2.0

package override

import (
	"fmt"
	"testing"
	"time"
)

// there is what a mirror has of one ejection, written in a revision.
func there(revision int64, d time.Duration) map[string]seen {
	o := Override{Service: "orders", Kind: Eject, Instance: "a", State: Ejected, For: d}
	return map[string]seen{o.Target(): {o, write{"1/", revision}}}
}

func TestLedger(t *testing.T) {
	type step struct {
		at    time.Duration
		there map[string]seen
		stale bool
		want  bool // that a is out
	}
	const s = time.Second
	for name, steps := range map[string][]step{
		"while the copy is current etcd alone ends it": {
			{0, there(1, 10*s), false, true},
			{60 * s, there(1, 10*s), false, true},
			{61 * s, nil, false, false},
		},
		"a stale copy ends it after its time from receipt": {
			{5 * s, there(1, 10*s), false, true},
			{14 * s, there(1, 10*s), true, true},
			{15 * s, there(1, 10*s), true, false},
		},
		"when the copy is current again etcd's word counts": {
			{0, there(1, 10*s), false, true},
			{20 * s, there(1, 10*s), true, false},
			{21 * s, there(1, 10*s), false, true},
		},
		"another write begins another time": {
			{0, there(1, 10*s), false, true},
			{9 * s, there(2, 10*s), false, true},
			{18 * s, there(2, 10*s), true, true},
			{19 * s, there(2, 10*s), true, false},
		},
		"one that came back after it was gone is received anew": {
			{0, there(1, 10*s), false, true},
			{9 * s, nil, false, false},
			{10 * s, there(1, 10*s), false, true},
			{19 * s, there(1, 10*s), true, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var l ledger
			for i, step := range steps {
				got := l.look(step.there, step.at, step.stale).Ejected("a") != nil
				if got != step.want {
					t.Errorf("step %d, at %v: out is %v, want %v", i, step.at, got, step.want)
				}
			}
		})
	}
}

func TestNothingNewIsTheSameValue(t *testing.T) {
	var l ledger
	first := l.look(there(1, time.Hour), 0, false)
	if l.look(there(1, time.Hour), time.Second, false) != first {
		t.Error("a look at what did not change made another value: every reader would be told")
	}
	if l.look(there(2, time.Hour), time.Second, false) == first {
		t.Error("another write is the same value")
	}
}

func TestCurrentOfNoneIsNilAndUsable(t *testing.T) {
	var c *Current
	if c.Ejected("a") != nil || c.Breaker("") != nil || c.All() != nil {
		t.Error("none has something")
	}
	if newCurrent(nil) != nil {
		t.Error("none is not nil")
	}
}

func ExampleOverride_String() {
	o := Override{Service: "orders", Kind: Breaker, Route: "checkout", State: Open, For: time.Minute, By: "ada", Reason: "payment is down"}
	fmt.Println(o.String())
	// Output: breaker.checkout of orders is open for 1m0s, by ada: payment is down
}
