// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Choice is what a pool thinks of one instance.
type Choice struct {
	Member   Member
	Forced   bool // an operator took it out, whatever its state
	Known    bool // this caller may use it: it serves, and is in the caller's subset
	State    State
	Reason   Reason
	Ramp     float64 // share of its traffic while it comes back, otherwise 1
	Weight   float64 // in the draw, 0 when it is not drawn
	Latency  time.Duration
	InFlight int
	Load     Load     // as it said last
	Capacity Capacity // as the fleet knows it
	Episode  uint32
	Hold     time.Duration // what is left of an ejection
	Vouched  bool          // the fleet speaks against it, this router's own experience for it
	Verdict  *signal.Verdict
}

// Explain returns what the pool thinks of each instance, in the order of their ids.
func (p *Pool) Explain(now time.Duration) []Choice {
	p.tryStep(now)
	p.mu.Lock()
	defer p.unlock()
	t := p.table.Load()
	weights := make(map[*Node]float64, t.rotation.Len())
	for i, n := range t.rotation.nodes {
		weights[n] = t.rotation.weights[i]
	}
	known := make(map[*Node]bool, len(p.known))
	for _, n := range p.known {
		known[n] = true
	}
	choices := make([]Choice, 0, len(p.sorted))
	for _, n := range p.sorted {
		c := Choice{
			Member: *n.member.Load(), Forced: p.forced[n.id], Known: known[n], State: State(n.state.Load()), Reason: n.reason, Ramp: n.ramp(now), Weight: weights[n],
			Latency: time.Duration(n.latency.read(now)), InFlight: int(n.inFlight.Load()), Load: n.Load(), Capacity: n.Capacity(),
			Episode: n.episode, Vouched: n.vouched.Load(), Verdict: n.verdict,
		}
		if c.State == Ejected {
			c.Hold = max(n.until-now, 0)
		}
		choices = append(choices, c)
	}
	return choices
}

// Panicking reports whether too few instances are left in rotation.
func (p *Pool) Panicking() bool { return p.table.Load().panicking }

// Stays returns which part of the requests stay in the caller's zone, and false where zones
// make no difference: there is none, or all instances are on one side.
func (p *Pool) Stays() (float64, bool) {
	t := p.table.Load()
	return t.stays, t.here != nil
}
