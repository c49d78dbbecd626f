// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Pool holds the instances of one service. Its methods are safe for concurrent use.
type Pool struct {
	policy  Policy
	base    time.Duration
	gap     time.Duration // between two probes of one instance
	observe func(Event)

	table     atomic.Pointer[table]
	nextStep  atomic.Int64 // when a state changes by time alone
	nextProbe atomic.Int64 // when a probe is due, at the earliest

	mu     sync.Mutex // of what follows: whoever holds it is the writer
	nodes  map[string]*Node
	sorted []*Node // by id
	free   []int   // numbers that nobody has
	fleet  *signal.Fleet
	events []Event // to be told once mu is released
}

// Kind is what happened.
type Kind uint8

// The kinds of events.
const (
	Left     Kind = iota // an instance left the rotation
	Returned             // it is back
	Panicked             // too few were left: ejections are ignored
)

// Event is a decision of a pool.
type Event struct {
	Kind      Kind
	Node      *Node // nil for Panicked
	Reason    Reason
	Local     bool // by this router's own evidence
	Episode   uint32
	Hold      time.Duration // of a local ejection
	Instances int           // in service
	Rotation  int           // of them, how many are left in rotation
}

// DefaultBase is the hold of a first ejection, Envoy's and gRPC's.
const DefaultBase = 30 * time.Second

// minGap bounds the rate of probes from above.
const minGap = 50 * time.Millisecond

// New returns an empty pool. Base is the hold of a first ejection. Observe, which may
// be nil, is told of decisions, in order, without any lock held.
func New(base time.Duration, observe func(Event)) *Pool {
	p := &Pool{base: base, gap: max(base/10, minGap), observe: observe, nodes: make(map[string]*Node)}
	p.nextStep.Store(math.MaxInt64)
	p.nextProbe.Store(math.MaxInt64)
	p.policy = NewAdaptive(AdaptiveOptions{
		ProbesPerRequest: DefaultProbesPerRequest, ProbesPerSecond: DefaultProbesPerSecond, WorthProbing: worthProbing,
	})
	p.table.Store(&table{rotation: newCandidates(nil, nil, 0)})
	return p
}

// SetPolicy makes the pool choose in another way. It must be called before the pool is used.
func (p *Pool) SetPolicy(policy Policy) { p.policy = policy }

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
	for _, m := range members {
		n := p.nodes[m.ID]
		if n == nil {
			n = &Node{id: m.ID, number: p.number()}
			n.latency.at.Store(int64(never))
			n.load.at.Store(int64(never))
			n.returned.Store(int64(never))
			n.since.Store(int64(now))
			p.nodes[m.ID] = n
		}
		n.presence = true
		if !m.Unconfirmed {
			n.trusted.Store(false) // to be earned again, should it ever vanish
		}
		if old := n.member.Load(); old == nil || *old != m {
			n.member.Store(&m)
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
	if changed || len(p.sorted) != len(p.nodes) {
		p.sorted = p.sorted[:0:0]
		for _, n := range p.nodes {
			p.sorted = append(p.sorted, n)
		}
		slices.SortFunc(p.sorted, func(a, b *Node) int { return cmp.Compare(a.id, b.id) })
	}
}

// number returns a number that no member has, the smaller ones first.
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

// unlock releases the pool and then tells what happened.
func (p *Pool) unlock() {
	events := p.events
	p.events = nil
	p.mu.Unlock()
	if p.observe != nil {
		for _, e := range events {
			p.observe(e)
		}
	}
}

// rebuild publishes the table that follows from the states.
func (p *Pool) rebuild() {
	t := &table{}
	active, gone, heaviest := 0, 0, 0.0
	for _, n := range p.sorted {
		m := n.member.Load()
		if !m.InService {
			continue
		}
		t.instances++
		heaviest = max(heaviest, m.Weight)
		switch {
		case State(n.state.Load()) == Active:
			active++
		case n.gone():
			gone++
		}
	}
	allGone := gone == t.instances
	if !allGone {
		t.instances -= gone // not there, so that their absence is no reason to panic
	}
	t.panicking = 2*active < t.instances
	var rotation []*Node
	var weights []float64
	for _, n := range p.sorted {
		m, state := n.member.Load(), State(n.state.Load())
		switch {
		case !m.InService:
		case state == Active, t.panicking && (!n.gone() || allGone):
			w := m.Weight / heaviest
			if n.verdict != nil && !n.vouched.Load() {
				w *= min(max(n.verdict.Weight, signal.MinWeight), 1)
			}
			rotation, weights = append(rotation, n), append(weights, w)
		case state == Probing:
			t.probing = append(t.probing, n)
			t.out = append(t.out, n)
		default:
			t.out = append(t.out, n)
		}
	}
	t.rotation = newCandidates(rotation, weights, len(p.nodes)+len(p.free))
	if was := p.table.Swap(t); t.panicking && !was.panicking {
		p.events = append(p.events, Event{Kind: Panicked, Instances: t.instances, Rotation: active})
	}
	for i := range p.events {
		if p.events[i].Instances == 0 {
			p.events[i].Instances, p.events[i].Rotation = t.instances, active
		}
	}
}

// gone reports whether the instance vanished from discovery and does not answer. A
// success confirmed it for a while; one that refuses connections now is gone all the
// same, and panic would send its share of the traffic to nobody.
func (n *Node) gone() bool {
	return n.member.Load().Unconfirmed && (n.reason == Unreachable || n.refusing.Load())
}
