// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Pool holds the instances of one service. Its methods are safe for concurrent use.
type Pool struct {
	observe func(Event)

	table     atomic.Pointer[table]
	nextStep  atomic.Int64 // when a state changes by time alone
	nextProbe atomic.Int64 // when a probe is due, at the earliest

	mu       sync.Mutex // of what follows: whoever holds it is the writer
	settings Settings
	nodes    map[string]*Node
	sorted   []*Node // by id
	known    []*Node // of them, those in service that this caller may use
	free     []int   // numbers below len(nodes)+len(free) that nobody has
	fleet    *signal.Fleet
	forced   map[string]bool // out, by an operator's word
	subset   int             // instances that this caller knows
	settled  time.Duration   // from when on who comes is new; never: it has had no members
	compared time.Duration   // when instances were compared last
	events   []Event         // to be told once mu is released
	counted  int             // of them, how many know how many instances there are
	telling  bool            // somebody tells events
}

// Kind is what happened.
type Kind uint8

// The kinds of events.
const (
	Left       Kind = iota // an instance left the rotation, or was taken out again when it was probed
	Returned               // it is back
	Panicked               // too few were left: ejections are ignored
	WouldLeave             // an instance would have left, were the switch not at Observe
)

// Event is a decision of a pool.
type Event struct {
	Kind      Kind
	Node      *Node // nil for Panicked
	Reason    Reason
	Local     bool // by this router's own evidence
	Episode   uint32
	Hold      time.Duration // of a local ejection
	Instances int           // in service, that this caller may use
	Rotation  int           // of them, how many are left in rotation by their state

	// What led to it: figures against their thresholds, and of the fleet's verdict the
	// callers that were counted.
	Figures             []Figure
	Callers, BadCallers int
}

// Figure is a number that decided something, and what it was held against.
type Figure struct {
	Name             string
	Value, Threshold float64
}

// settling is how long after its first members a pool takes those that come for ones that it
// had not heard of yet, not for new ones: a directory that has just been opened learns of a
// fleet bit by bit.
const settling = 5 * time.Second

// minGap bounds the rate of probes from above.
const minGap = 50 * time.Millisecond

// New returns an empty pool. Observe, which may be nil, is told of decisions: in order, one
// at a time, with no lock held, so that it may call the pool.
func New(s Settings, observe func(Event)) *Pool {
	s.Variants = maps.Clone(s.Variants)
	p := &Pool{settings: s, observe: observe, settled: never, nodes: make(map[string]*Node)}
	p.nextStep.Store(math.MaxInt64)
	p.nextProbe.Store(math.MaxInt64)
	p.rebuild()
	return p
}

// Known returns the ids of the instances that serve and that this caller may use: its subset,
// where it has one.
func (p *Pool) Known() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make(map[string]bool, len(p.known))
	for _, n := range p.known {
		ids[n.id] = true
	}
	return ids
}

// Policy returns what chooses now.
func (p *Pool) Policy() Policy { return p.table.Load().policy }

// Update takes over who is there and what the fleet says of them; nil when the fleet
// has nothing to say.
func (p *Pool) Update(now time.Duration, members []Member, fleet *signal.Fleet) {
	p.mu.Lock()
	p.fleet = fleet
	p.join(now, members)
	p.step(now)
	p.unlock()
}

// join brings the nodes in line with the members.
func (p *Pool) join(now time.Duration, members []Member) {
	for _, n := range p.nodes {
		n.presence = false
	}
	for i := range members {
		m := &members[i]
		n := p.nodes[m.ID]
		if n == nil {
			n = &Node{id: m.ID, number: p.number()}
			n.latency.at.Store(int64(never))
			n.load.at.Store(int64(never))
			n.returned.Store(int64(never))
			n.since.Store(int64(now))
			n.begun.Store(int64(now))
			// Unconfirmed is not new either: it vanished with others, and is thought to be well.
			if p.settled != never && now >= p.settled && !m.Unconfirmed && p.settings.SlowStart > 0 {
				n.rampFor.Store(int64(p.settings.SlowStart))
				n.returned.Store(int64(now))
			}
			p.nodes[m.ID] = n
		}
		n.presence = true
		if !m.Unconfirmed {
			n.trusted.Store(false) // to be earned again, should it ever vanish
		}
		if old := n.member.Load(); old == nil || *old != *m {
			own := *m
			n.member.Store(&own)
		}
	}
	changed := len(p.sorted) != len(p.nodes)
	for id, n := range p.nodes {
		if !n.presence {
			delete(p.nodes, id)
			p.free = append(p.free, n.number)
			changed = true
		}
	}
	if p.settled == never && len(p.nodes) > 0 {
		p.settled = now + settling
	}
	if changed || len(p.sorted) != len(p.nodes) {
		p.sorted = p.sorted[:0:0]
		for _, n := range p.nodes {
			p.sorted = append(p.sorted, n)
		}
		slices.SortFunc(p.sorted, func(a, b *Node) int { return cmp.Compare(a.id, b.id) })
	}
}

// number returns a number that no member has. What still knows its last owner by it compares
// the nodes too ([Candidates.Place]).
func (p *Pool) number() int {
	if last := len(p.free) - 1; last >= 0 {
		n := p.free[last]
		p.free = p.free[:last]
		return n
	}
	return len(p.nodes)
}

// tryStep does what is due by time, unless somebody else is at it.
func (p *Pool) tryStep(now time.Duration) {
	if p.mu.TryLock() {
		if now >= time.Duration(p.nextStep.Load()) {
			p.step(now)
		}
		p.unlock()
	}
}

// unlock releases the pool and then tells what happened, unless somebody else is at it, who
// tells that too: in order, and with no lock held.
func (p *Pool) unlock() {
	defer p.mu.Unlock()
	t := p.table.Load()
	for i := p.counted; i < len(p.events); i++ {
		p.events[i].Instances, p.events[i].Rotation = t.instances, t.active
	}
	p.counted = len(p.events)
	if p.telling {
		return
	}
	p.telling = true
	defer func() { p.telling = false }() // also where the observer panics
	for len(p.events) > 0 {
		p.tell()
	}
}

// tell tells the events that there are. The pool is locked before and after.
func (p *Pool) tell() {
	events := p.events
	p.events, p.counted = nil, 0
	p.mu.Unlock()
	defer p.mu.Lock()
	if p.observe == nil {
		return
	}
	for _, e := range events {
		p.observe(e)
	}
}

// rebuild publishes the table that follows from the states.
func (p *Pool) rebuild() {
	t := p.newTable()
	gone, heaviest := 0, 0.0
	for _, n := range p.known {
		t.instances++
		if w := n.member.Load().Weight; w > heaviest { // not max: it may not be a number
			heaviest = w
		}
		switch {
		case State(n.state.Load()) == Active:
			t.active++
		case n.gone():
			gone++
		}
	}
	allGone := gone == t.instances
	if !allGone {
		t.instances -= gone // not there, so that their absence is no reason to panic
	}
	t.panicking = float64(t.active) < p.settings.Panic*float64(t.instances)
	var rotation []*Node
	var weights []float64
	for _, n := range p.known {
		switch state := State(n.state.Load()); {
		case state == Active, t.panicking && (!n.gone() || allGone):
			w := n.member.Load().Weight
			if n.verdict != nil && !n.vouched.Load() {
				w *= min(max(n.verdict.Weight, signal.MinWeight), 1)
			}
			rotation, weights = append(rotation, n), append(weights, relative(w, heaviest))
		case state == Probing:
			t.probing = append(t.probing, n)
			t.out = append(t.out, n)
		default:
			t.out = append(t.out, n)
		}
	}
	was := p.table.Load()
	if was == nil {
		was = &table{}
	}
	p.arrange(t, was, rotation, weights)
	p.table.Store(t)
	if t.panicking && !was.panicking {
		left := float64(t.active) / float64(t.instances) // there is one, or this is no panic
		p.events = append(p.events, Event{Kind: Panicked, Figures: []Figure{{"in_rotation", left, p.settings.Panic}}})
	}
}

// newTable returns a table without instances.
func (p *Pool) newTable() *table {
	ejection := p.settings.Ejection
	t := &table{policy: p.settings.Policy, ejection: &ejection, belongs: p.settings.Variants}
	t.prober, _ = t.policy.(Prober)
	t.beginner, _ = t.policy.(Beginner)
	t.observer, _ = t.policy.(Observer)
	return t
}

// serves reports whether an instance is in service, and no operator took it out.
func (p *Pool) serves(n *Node) bool { return n.member.Load().InService && !p.forced[n.id] }

// usable returns which instances this caller may use: all that serve, or its subset of
// them.
func (p *Pool) usable() []*Node {
	known := make([]*Node, 0, len(p.sorted))
	for _, n := range p.sorted {
		if p.serves(n) {
			known = append(known, n)
		}
	}
	if p.settings.Subset > 0 && p.settings.Caller != "" {
		p.subset = subsetSize(len(known), p.settings.Subset, p.subset, p.settings.Part)
		known = subset(known, p.settings.Caller, p.subset)
	}
	return known
}

// arrange gives a table its rotation, by zone and variant too. What is as it was is taken
// over.
func (p *Pool) arrange(t, was *table, rotation []*Node, weights []float64) {
	numbers := len(p.nodes) + len(p.free)
	t.rotation = was.rotation.with(rotation, weights, numbers)
	if p.settings.Zone != "" && !t.panicking {
		in, out, stays := zones(rotation, weights, p.settings.Zone, p.settings.Callers)
		if len(in.nodes) > 0 && len(out.nodes) > 0 {
			t.here = was.here.with(in.nodes, in.weights, numbers)
			t.elsewhere = was.elsewhere.with(out.nodes, out.weights, numbers)
			t.stays = stays
		}
	}
	if len(p.settings.Variants) == 0 {
		return
	}
	t.variants = make(map[string]*Candidates, len(p.settings.Variants))
	for name, of := range p.settings.Variants {
		var nodes []*Node
		var parts []float64
		for i, n := range rotation {
			if of(*n.member.Load()) {
				nodes, parts = append(nodes, n), append(parts, weights[i])
			}
		}
		t.variants[name] = was.variants[name].with(nodes, parts, numbers)
	}
}

// gone reports whether the instance vanished from discovery and does not answer. A
// success confirmed it for a while; one that refuses connections now is gone all the
// same, and panic would send its share of the traffic to nobody.
func (n *Node) gone() bool {
	return n.member.Load().Unconfirmed && (n.reason == Unreachable || n.refusing.Load())
}
