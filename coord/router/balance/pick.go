// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"time"

	"github.com/otelplat/platform/internal/stablehash"
)

const (
	// An instance that comes back gets rampFloor of its traffic at first, and all
	// of it after rampTime (Envoy's slow start).
	rampTime  = 5 * time.Second
	rampFloor = 0.1
)

// table is who can get a request, and how that is chosen. It is immutable; Update and
// changes of state make a new one.
type table struct {
	policy   Policy
	prober   Prober   // the policy, nil when it is none
	beginner Beginner // as well
	observer Observer
	ejection *Ejection

	rotation  *Candidates
	here      *Candidates // of the caller's zone, nil when that does not matter
	elsewhere *Candidates
	stays     float64 // part of the requests that stay in the zone
	variants  map[string]*Candidates
	probing   []*Node
	out       []*Node // in service, out of rotation

	belongs map[string]func(Member) bool // to a variant

	instances int // in service, that this caller may use
	active    int // of them, in rotation by their state
	panicking bool
}

// candidates returns among whom to choose for a request.
func (t *table) candidates(r *Request) *Candidates {
	if r.Variant != "" {
		// A variant of which nobody is in rotation is as good as none: better another
		// version's answer than none.
		if c := t.variants[r.Variant]; c != nil && c.Len() > 0 {
			return c
		}
		return t.rotation
	}
	if t.here == nil {
		return t.rotation
	}
	if t.stays >= 1 || r.chance() < t.stays {
		return t.here
	}
	return t.elsewhere
}

// chance returns a number from 0 to 1 by which a request goes one way or another: of its own
// where it has a key, so that equal keys go the same way.
func (r *Request) chance() float64 {
	if r.Key != 0 {
		return float64(stablehash.Mix(r.Key+0x9e3779b97f4a7c15)>>11) / (1 << 53)
	}
	return float64(r.Random(fine)) / fine
}

// Pick chooses an instance and counts the request as in flight there; the caller
// ends it with [Attempt.Done]. When the caller can reach none of those in rotation, one
// that is out is better than none. Pick returns false when it can reach nobody.
func (p *Pool) Pick(r Request) (Attempt, bool) {
	a, ok := p.PickInRotation(r)
	if !ok {
		t := p.table.Load()
		if i := search(t.out, r); i >= 0 {
			return p.begin(t, t.out[i], r.Now, false), true
		}
	}
	return a, ok
}

// PickInRotation is like Pick, but returns false when it cannot reach any instance in
// rotation and no probe is due.
func (p *Pool) PickInRotation(r Request) (Attempt, bool) {
	if r.Now >= time.Duration(p.nextStep.Load()) {
		p.tryStep(r.Now)
	}
	t := p.table.Load()
	if len(t.probing) > 0 && r.Now >= time.Duration(p.nextProbe.Load()) {
		if n := p.dueProbe(t, r); n != nil {
			return p.begin(t, n, r.Now, true), true
		}
	}
	c := t.candidates(&r)
	i := t.policy.Choose(c, r)
	if i < 0 || i >= len(c.nodes) || !r.usable(c.nodes[i]) { // a policy may be anybody's
		i = c.any(r)
	}
	if i < 0 && c != t.rotation {
		c = t.rotation // nobody that the caller can reach is where it should go
		i = c.any(r)
	}
	if i < 0 {
		return Attempt{}, false
	}
	return p.begin(t, c.nodes[i], r.Now, false), true
}

// begin counts a request as begun, with the policy of the table that it was chosen by: who is
// told of its begin is told of its end.
func (p *Pool) begin(t *table, n *Node, now time.Duration, probe bool) Attempt {
	n.inFlight.Add(1)
	n.begun.Store(int64(now))
	if t.beginner != nil {
		t.beginner.Begun(n)
	}
	return Attempt{pool: p, node: n, start: now, probe: probe, heard: t.observer}
}

// Ask calls ask for each instance whose load should be asked for now, after a request
// was sent. The caller tells the answer to [Pool.Heard], or nothing.
func (p *Pool) Ask(r Request, ask func(*Node)) {
	if t := p.table.Load(); t.prober != nil {
		t.prober.Ask(t.candidates(&r), r, ask)
	}
}

// Heard tells what an instance said of its load when it was asked.
func (p *Pool) Heard(r Request, n *Node, report Report) {
	report = report.bounded()
	n.load.hear(r.Now, report, n.inFlight.Load())
	if t := p.table.Load(); t.prober != nil {
		t.prober.Heard(t.candidates(&r), r, n, report)
	}
}

// HeardOf is [Pool.Heard] for an instance by its id; one that is not a member is ignored.
func (p *Pool) HeardOf(r Request, id string, report Report) {
	p.mu.Lock()
	n := p.nodes[id]
	p.mu.Unlock()
	if n != nil {
		p.Heard(r, n, report)
	}
}

// probationSpread is the part of a first hold over which callers spread their first probes
// of an instance that the fleet put on probation. They all hear of it at the same moment,
// and where it is still bad the first few are enough for the fleet to say so again: a
// hundred callers would otherwise each spend a request.
const probationSpread = 0.2

// fits reports whether an instance is of the variant that a request is limited to.
func (t *table) fits(n *Node, r *Request) bool {
	of := t.belongs[r.Variant]
	return of == nil || of(*n.member.Load())
}

// dueProbe takes the first probe that is due. While it is in flight no other is sent
// to the same instance, unless it takes longer than a hold: a request may be a stream
// that nobody ends.
func (p *Pool) dueProbe(t *table, r Request) *Node {
	now := r.Now
	p.nextProbe.Store(math.MaxInt64)
	var taken *Node
	for _, n := range t.probing {
		due := n.probeDue.Load()
		if now >= time.Duration(due) && n.together.CompareAndSwap(true, false) {
			due = int64(now) + int64(float64(r.Random(fine))/fine*probationSpread*float64(p.table.Load().ejection.Base))
			n.probeDue.Store(due)
		}
		if taken == nil && now >= time.Duration(due) && r.usable(n) && t.fits(n, &r) &&
			n.probeDue.CompareAndSwap(due, int64(now+max(p.table.Load().ejection.Base, minGap))) {
			taken = n
			due = n.probeDue.Load()
		}
		p.probeBy(max(time.Duration(due), now+1)) // one that cannot be reached here: ask again
	}
	if p.table.Load() != t {
		p.probeBy(now + 1) // who is on probation now was not asked
	}
	return taken
}

// probeBy makes a Pick at the given time look for probes.
func (p *Pool) probeBy(due time.Duration) {
	for {
		next := p.nextProbe.Load()
		if int64(due) >= next || p.nextProbe.CompareAndSwap(next, int64(due)) {
			return
		}
	}
}
