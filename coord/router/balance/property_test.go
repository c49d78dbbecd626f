// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"pgregory.net/rapid"
)

// TestWhateverHappens drives a pool at random and checks what must always hold.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Hour
		p := New(Default(), nil)
		random := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "random") }
		var attempts []Attempt
		var members []Member
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				members = members[:0:0]
				for i := range 8 {
					if rapid.Bool().Draw(t, "there") {
						members = append(members, Member{
							ID: fmt.Sprint(i), Weight: rapid.Float64Range(0.01, 100).Draw(t, "weight"),
							InService: rapid.IntRange(0, 3).Draw(t, "up") > 0, Unconfirmed: rapid.Bool().Draw(t, "unconfirmed"),
						})
					}
				}
				p.Update(now, members, p.fleet)
			case 1:
				fleet := &signal.Fleet{Instances: make(map[string]*signal.Signal)}
				for i := range 8 {
					fleet.Instances[fmt.Sprint(i)] = &signal.Signal{Verdict: signal.Verdict{
						State:  rapid.SampledFrom([]signal.State{signal.Good, signal.Bad, signal.Probation}).Draw(t, "verdict"),
						Weight: rapid.Float64Range(0, 1).Draw(t, "fleet's weight"),
					}}
				}
				p.Update(now, members, fleet)
			case 2, 3:
				if a, ok := p.Pick(Request{Now: now, Random: random}); ok {
					if !a.Node().member.Load().InService {
						t.Fatal("a request to an instance that is not in service")
					}
					if s := State(a.Node().state.Load()); !a.Probe() && s != Active && !p.Panicking() {
						t.Fatalf("a request to an instance in state %d, without panic", s)
					}
					attempts = append(attempts, a)
				} else if inService(members) > 0 && p.table.Load().rotation.Len() > 0 {
					t.Fatal("no instance for a request, though some are in rotation")
				}
			default:
				if len(attempts) > 0 {
					i := rapid.IntRange(0, len(attempts)-1).Draw(t, "which")
					outcome := Outcome(rapid.IntRange(0, int(Outcomes)-1).Draw(t, "outcome"))
					for range rapid.IntRange(1, 6).Draw(t, "times") {
						a := attempts[i]
						a.node.inFlight.Add(1) // each of them an attempt of its own
						a.Done(0, now, outcome, Measured)
					}
					attempts[i].Done(0, now, Cancelled, Unrelated)
					attempts = append(attempts[:i], attempts[i+1:]...)
				}
			}
			check(t, p, now)
		}
		for _, a := range attempts {
			a.Done(0, now, OK, Measured)
		}
		for _, c := range p.Explain(now) {
			if c.InFlight != 0 {
				t.Fatalf("%s has %d in flight in the end", c.Member.ID, c.InFlight)
			}
		}
	})
}

func inService(members []Member) int {
	n := 0
	for _, m := range members {
		if m.InService {
			n++
		}
	}
	return n
}

func check(t *rapid.T, p *Pool, now time.Duration) {
	byFleet, up := 0, 0
	for _, c := range p.Explain(now) {
		if c.InFlight < 0 {
			t.Fatalf("%s has %d in flight", c.Member.ID, c.InFlight)
		}
		if c.Weight < 0 || c.Weight > 1 || c.Latency < 0 || c.Hold > signal.MaxHold {
			t.Fatalf("impossible: %+v", c)
		}
		if c.Member.InService {
			up++
			if c.State == EjectedByFleet {
				byFleet++
			}
		} else if c.Weight > 0 {
			t.Fatalf("%s is not in service and in rotation", c.Member.ID)
		}
	}
	if 2*byFleet > up {
		t.Fatalf("the fleet took out %d of %d", byFleet, up)
	}
	if up > 0 && p.table.Load().rotation.Len() == 0 {
		t.Fatalf("nobody is in rotation of %d in service", up)
	}
}
