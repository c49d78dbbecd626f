// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"sort"
	"time"
)

const (
	// maxDraws bounds the search for an instance that is usable and accepts.
	maxDraws = 8

	// tie is the ratio of costs up to which the first drawn gets the request.
	tie = 1.25

	// An instance that comes back gets rampFloor of its traffic at first, and all
	// of it after rampTime (Envoy's slow start).
	rampTime  = 5 * time.Second
	rampFloor = 0.1

	// fine is the resolution of random numbers.
	fine = 1 << 30
)

// table is who can get a request. It is immutable; Update and changes of state make
// a new one.
type table struct {
	rotation []*Node
	weights  []float64 // of the rotation, above 0, at most 1
	upTo     []float64 // running sum of weights
	probing  []*Node
	out      []*Node // in service, out of rotation

	instances int // in service
	panicking bool
}

// Pick chooses an instance and counts the request as in flight there; the caller
// ends it with [Attempt.Done]. Usable says which instances the caller can reach, nil
// that it can reach all. When it can reach none of those in rotation, one that is out
// is better than none. Pick returns false when it can reach nobody.
func (p *Pool) Pick(now time.Duration, random func(int) int, usable func(*Node) bool) (Attempt, bool) {
	a, ok := p.PickInRotation(now, random, usable)
	if !ok {
		if out := p.table.Load().out; len(out) > 0 {
			if i := search(out, random, usable); i >= 0 {
				return p.begin(out[i], now, false), true
			}
		}
	}
	return a, ok
}

// PickInRotation is like Pick, but returns false when it cannot reach any instance in
// rotation and no probe is due.
func (p *Pool) PickInRotation(now time.Duration, random func(int) int, usable func(*Node) bool) (Attempt, bool) {
	if now >= time.Duration(p.nextStep.Load()) {
		p.tryStep(now)
	}
	t := p.table.Load()
	if len(t.probing) > 0 && now >= time.Duration(p.nextProbe.Load()) {
		if n := p.dueProbe(t, now, usable); n != nil {
			return p.begin(n, now, true), true
		}
	}
	a := t.draw(now, random, usable)
	if a < 0 {
		if a = search(t.rotation, random, usable); a < 0 {
			return Attempt{}, false
		}
	}
	for range maxDraws {
		if len(t.rotation) == 1 {
			break
		}
		b := t.draw(now, random, usable)
		if b < 0 || b == a {
			continue
		}
		if t.cost(b, now)*tie < t.cost(a, now) {
			a = b
		}
		break
	}
	return p.begin(t.rotation[a], now, false), true
}

func (p *Pool) begin(n *Node, now time.Duration, probe bool) Attempt {
	n.inFlight.Add(1)
	return Attempt{pool: p, node: n, start: now, probe: probe}
}

// draw returns an instance at random in proportion to weight × ramp, -1 when none
// that it drew was usable. The weights are exact; when all drawn are ramping and
// decline, the last of them is taken.
func (t *table) draw(now time.Duration, random func(int) int, usable func(*Node) bool) int {
	declined := -1
	if len(t.rotation) == 0 {
		return -1
	}
	total := t.upTo[len(t.upTo)-1]
	for range maxDraws {
		at := total * float64(random(fine)) / fine
		i := min(sort.Search(len(t.upTo), func(i int) bool { return t.upTo[i] > at }), len(t.upTo)-1)
		n := t.rotation[i]
		if usable != nil && !usable(n) {
			continue
		}
		if r := n.ramp(now); r < 1 && float64(random(fine)) >= r*fine {
			declined = i
			continue
		}
		return i
	}
	return declined
}

// search returns the first usable instance from a random place on, -1 when there is
// none: few are usable, and drawing found none of them.
func search(nodes []*Node, random func(int) int, usable func(*Node) bool) int {
	if len(nodes) == 0 {
		return -1
	}
	from := random(len(nodes))
	for i := range nodes {
		if i = (from + i) % len(nodes); usable == nil || usable(nodes[i]) {
			return i
		}
	}
	return -1
}

// cost says what it would cost to send one more request there. What is in flight
// counts by weight, so that under load an instance of half the weight holds half as
// many; the request itself counts one, so that weights alone do not make an idle
// instance dearer than another.
func (t *table) cost(i int, now time.Duration) float64 {
	n := t.rotation[i]
	inFlight := float64(max(n.inFlight.Load(), 0))
	l := n.latency.read(now)
	if l == 0 && inFlight > 0 && !n.latency.known() {
		l = float64(unknown)
	}
	return (l + float64(bias)) * (inFlight/t.weights[i] + 1)
}

// ramp returns the share of its traffic that the instance gets now.
func (n *Node) ramp(now time.Duration) float64 {
	back := time.Duration(n.returned.Load())
	if back == never || now-back >= rampTime {
		return 1
	}
	return max(rampFloor, float64(now-back)/float64(rampTime))
}

// dueProbe takes the first probe that is due. While it is in flight no other is sent
// to the same instance, unless it takes longer than a hold: a request may be a stream
// that nobody ends.
func (p *Pool) dueProbe(t *table, now time.Duration, usable func(*Node) bool) *Node {
	p.nextProbe.Store(math.MaxInt64)
	var taken *Node
	for _, n := range t.probing {
		due := n.probeDue.Load()
		if taken == nil && now >= time.Duration(due) && (usable == nil || usable(n)) &&
			n.probeDue.CompareAndSwap(due, int64(now+max(p.base, p.gap))) {
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
