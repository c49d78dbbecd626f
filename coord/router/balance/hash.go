// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/stablehash"
)

const (
	// DefaultLoadFactor bounds what an instance may have in flight, as a multiple of the
	// mean.
	DefaultLoadFactor = 1.25

	// points is how many places on the ring an instance of full weight has: the loads of two
	// differ by about 1/√points, which the bound evens out.
	points = 100

	// So many points of the ring are looked at, and at least so many for each instance: all of
	// a small ring, and of a great one enough to find one usable instance in 49 of 50 cases,
	// and one of two but for one case in 3,000.
	leastWalk  = 2000
	walkOfEach = 4
)

// ConsistentHash sends equal keys to one instance: the next on a ring after the key's hash.
// When that has more than its part of this caller's requests in flight the next one takes
// it (consistent hashing with bounded loads, Mirrokni, Thorup and Zadimoghaddam, 2018).
// Requests without a key are drawn by weight. It must be made by [NewConsistentHash].
//
// Equal are the keys of callers that know the same instances ([Settings].Subset). An instance
// that is ramping gets all of its keys: they would go to another for some seconds, and back.
//
// All of the caller's requests are held against the weight of the instances that a request can
// go to. Where these are only some (a variant), the bound is as much wider.
type ConsistentHash struct {
	factor   float64
	inFlight atomic.Int64
}

// NewConsistentHash returns the policy for one pool. The load factor is above 1; 0 means
// [DefaultLoadFactor], infinity no bound.
func NewConsistentHash(loadFactor float64) *ConsistentHash {
	if !(loadFactor > 1) {
		loadFactor = DefaultLoadFactor
	}
	return &ConsistentHash{factor: loadFactor}
}

// ring is the ring of one set of candidates.
type ring struct {
	points []point // by hash
	starts []int32 // by the first bits of a hash: the first point that is not before them
	shift  int     // what is left of a hash then are its first bits
	weight float64 // of all
}

// point is a place on the ring.
type point struct {
	hash  uint64
	place int32 // of the candidate
}

// newRing sorts the points into as many bins as there are of them, by their first bits, which
// are as random as the others: about one comes into each, and they tell where to look.
func newRing(c *Candidates) *ring {
	r := &ring{}
	size := 0
	for _, w := range c.weights {
		size += pointsOf(w)
		r.weight += w
	}
	width := bits.Len(uint(size)) //nolint:gosec // not negative
	r.shift = 64 - width
	r.points, r.starts = make([]point, size), make([]int32, 1<<width+1)
	each := func(do func(point)) {
		for i, n := range c.nodes {
			id := stablehash.Text(n.id)
			for k := range pointsOf(c.weights[i]) {
				do(point{stablehash.Mix(id + uint64(k)*0x9e3779b97f4a7c15), int32(i)}) //nolint:gosec // small
			}
		}
	}
	each(func(p point) { r.starts[p.hash>>r.shift+1]++ })
	for bin := range len(r.starts) - 1 {
		r.starts[bin+1] += r.starts[bin]
	}
	next := slices.Clone(r.starts)
	each(func(p point) {
		bin := p.hash >> r.shift
		at := next[bin]
		next[bin]++
		for ; at > r.starts[bin] && p.before(r.points[at-1]); at-- {
			r.points[at] = r.points[at-1]
		}
		r.points[at] = p
	})
	return r
}

// pointsOf returns how many points a weight has.
func pointsOf(weight float64) int { return max(1, int(math.Round(weight*points))) }

// before orders points: of two at one place the candidates' order decides, as for everybody.
func (p point) before(q point) bool {
	return p.hash < q.hash || p.hash == q.hash && p.place < q.place
}

// after returns the index of the first point at a key or after it, which may be the ring's end.
func (r *ring) after(key uint64) int {
	at := int(r.starts[key>>r.shift])
	for at < len(r.points) && r.points[at].hash < key {
		at++
	}
	return at
}

// around returns the ring of the candidates. It is made once for each set of them, which takes
// some milliseconds for a thousand, by the first request that needs it.
func (c *Candidates) around() *ring {
	c.hashed.Do(func() { c.ring = newRing(c) })
	return c.ring
}

// Choose implements [Policy].
func (p *ConsistentHash) Choose(c *Candidates, r Request) int {
	if r.Key == 0 || c.Len() == 0 {
		return c.any(r)
	}
	ring := c.around()
	mean := float64(max(p.inFlight.Load(), 0)+1) / ring.weight
	// Keys may be anything that tells requests apart, numbers that count up too.
	at := ring.after(stablehash.Mix(r.Key))
	last, best, least := -1, -1, math.Inf(1)
	for range min(len(ring.points), max(leastWalk, walkOfEach*c.Len())) {
		if at == len(ring.points) {
			at = 0
		}
		i := int(ring.points[at].place)
		at++
		if i == last || !r.usable(c.nodes[i]) {
			continue
		}
		last = i
		inFlight, part := float64(c.nodes[i].InFlight()), c.weights[i]
		if inFlight < math.Ceil(p.factor*mean*part-1e-9) { // 1.1 × 50 is 55.00000000000001
			return i
		}
		if inFlight/part < least {
			best, least = i, inFlight/part
		}
	}
	if best >= 0 {
		return best // few are usable, and all of these have more than their part
	}
	return c.any(r)
}

// Begun implements [Beginner].
func (p *ConsistentHash) Begun(*Node) { p.inFlight.Add(1) }

// Ended implements [Observer].
func (p *ConsistentHash) Ended(*Node, time.Duration, time.Duration, Outcome, Speed) {
	p.inFlight.Add(-1)
}
