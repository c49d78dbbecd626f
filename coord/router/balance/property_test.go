// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"pgregory.net/rapid"
)

// TestWhateverHappens drives a pool at random and checks what must always hold.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Hour
		policy := policies[rapid.SampledFrom(slices.Sorted(maps.Keys(policies))).Draw(t, "policy")]
		settings := Default()
		settings.Policy = policy()
		var forced map[string]bool
		p := New(settings, func(e Event) {
			if e.Rotation > e.Instances || e.Kind != Panicked && e.Node == nil || e.Hold < 0 || e.Hold > signal.MaxHold {
				t.Fatalf("impossible: %+v", e)
			}
			if e.Kind == WouldLeave && settings.Ejection.Mode != Observe || e.Kind == Left && settings.Ejection.Mode != Act && e.Reason != Unreachable && e.Reason != FailedProbe {
				t.Fatalf("event %+v in mode %d", e, settings.Ejection.Mode)
			}
		})
		random := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "random") }
		var attempts []Attempt
		var members []Member
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				members = members[:0:0]
				for i := range 8 {
					if rapid.Bool().Draw(t, "there") {
						members = append(members, Member{
							ID: fmt.Sprint(i), Weight: rapid.Float64Range(0.01, 100).Draw(t, "weight"),
							Zone:      rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "zone"),
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
					}, ServiceDemand: time.Duration(rapid.IntRange(0, 100).Draw(t, "demand")) * time.Millisecond, Parallelism: rapid.Float64Range(0, 8).Draw(t, "parallelism")}
				}
				p.Update(now, members, fleet)
			case 2:
				settings = drawSettings(t, settings, policy)
				p.Configure(now, settings)
			case 3:
				forced = make(map[string]bool)
				for i := range 8 {
					if rapid.IntRange(0, 4).Draw(t, "forced") == 0 {
						forced[fmt.Sprint(i)] = true
					}
				}
				p.Force(now, forced)
			case 4, 5, 6:
				usable := rapid.IntRange(0, 255).Draw(t, "usable") | rapid.IntRange(0, 255).Draw(t, "usable too")
				r := Request{
					Now: now, Random: random, Key: rapid.Uint64Range(0, 3).Draw(t, "key"),
					Usable:  func(n *Node) bool { return usable>>(n.ID()[0]-'0')&1 == 1 },
					Variant: rapid.SampledFrom([]string{"", "low", "unknown"}).Draw(t, "variant"),
				}
				table := p.table.Load()
				a, ok := p.Pick(r)
				if !ok {
					for _, n := range append(slices.Clone(p.table.Load().out), p.table.Load().rotation.nodes...) {
						if r.usable(n) {
							t.Fatalf("no instance for a request, though %s is usable", n.ID())
						}
					}
					break
				}
				n := a.Node()
				if !n.member.Load().InService || forced[n.ID()] || !r.usable(n) || p.nodes[n.ID()] != n {
					t.Fatalf("a request to %s, which is not in service, taken out or not usable", n.ID())
				}
				if a.Probe() && State(n.state.Load()) != Probing {
					t.Fatalf("a probe of an instance in state %d", n.state.Load())
				}
				if p.table.Load() == table && !a.Probe() && table.rotation.Place(n) < 0 {
					for _, other := range table.rotation.nodes {
						if r.usable(other) {
							t.Fatalf("a request to %s, out of rotation, though %s is in it", n.ID(), other.ID())
						}
					}
				}
				if c := table.variants[r.Variant]; p.table.Load() == table && c != nil && c.Place(n) < 0 && !a.Probe() {
					for _, other := range c.nodes {
						if r.usable(other) {
							t.Fatalf("a request of %q to %s, though %s is of it", r.Variant, n.ID(), other.ID())
						}
					}
				}
				attempts = append(attempts, a)
				p.Ask(r, func(n *Node) {
					if !r.usable(n) || p.table.Load().rotation.Place(n) < 0 {
						t.Fatalf("asked %s, which is not usable or out of rotation", n.ID())
					}
					p.Heard(r, n, Report{InFlight: rapid.IntRange(-1, 20).Draw(t, "in flight"), Latency: time.Millisecond})
				})
			default:
				if len(attempts) > 0 {
					i := rapid.IntRange(0, len(attempts)-1).Draw(t, "which")
					outcome := Outcome(rapid.IntRange(0, int(Outcomes)-1).Draw(t, "outcome"))
					for range rapid.IntRange(1, 6).Draw(t, "times") {
						a := attempts[i]
						a.node.inFlight.Add(1) // each of them an attempt of its own
						a.Done(0, now, outcome, Measured)
					}
					attempts[i].Says(now, Report{InFlight: rapid.IntRange(-1, 20).Draw(t, "load")})
					attempts[i].Done(0, now, Cancelled, Unrelated)
					attempts = append(attempts[:i], attempts[i+1:]...)
				}
			}
			check(t, p, now, forced)
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

// drawSettings changes one thing or another.
func drawSettings(t *rapid.T, s Settings, policy func() Policy) Settings {
	if rapid.Bool().Draw(t, "new policy") {
		s.Policy = policy()
	}
	s.Ejection.Mode = rapid.SampledFrom([]Mode{Act, Observe, Off}).Draw(t, "mode")
	s.Ejection.Share = rapid.Float64Range(0, 0.5).Draw(t, "share")
	s.Ejection.Latency = rapid.SampledFrom([]float64{0, 2}).Draw(t, "latency factor")
	s.Zone = rapid.SampledFrom([]string{"", "a"}).Draw(t, "zone")
	s.SlowStart = time.Duration(rapid.IntRange(0, 60).Draw(t, "slow start")) * time.Second
	s.Caller, s.Subset = rapid.SampledFrom([]string{"", "me"}).Draw(t, "caller"), rapid.IntRange(0, 8).Draw(t, "subset")
	s.Variants = map[string]func(Member) bool{"low": func(m Member) bool { return m.ID < "3" }}
	return s
}

func check(t *rapid.T, p *Pool, now time.Duration, forced map[string]bool) {
	byFleet, up := 0, 0
	for _, c := range p.Explain(now) {
		if c.InFlight < 0 {
			t.Fatalf("%s has %d in flight", c.Member.ID, c.InFlight)
		}
		if c.Weight > 0 && !c.Known || c.Forced != forced[c.Member.ID] || c.Weight < 0 || c.Weight > 1 || c.Latency < 0 || c.Hold > signal.MaxHold {
			t.Fatalf("impossible: %+v", c)
		}
		if c.Member.InService && !forced[c.Member.ID] {
			up++
			if c.State == EjectedByFleet {
				byFleet++
			}
		} else if c.Weight > 0 {
			t.Fatalf("%s is not in service, or taken out, and in rotation", c.Member.ID)
		}
	}
	if 2*byFleet > up {
		t.Fatalf("the fleet took out %d of %d", byFleet, up)
	}
	if up > 0 && p.table.Load().rotation.Len() == 0 {
		t.Fatalf("nobody is in rotation of %d in service", up)
	}
}
