// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"cmp"
	"math"
	"slices"
	"sort"
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
)

// ConsistentHash sends equal keys to one instance: the next on a ring after the key's hash.
// When that has more than its part of this caller's requests in flight the next one takes
// it (consistent hashing with bounded loads, Mirrokni, Thorup and Zadimoghaddam, 2018).
// Requests without a key are drawn by weight. It must be made by [NewConsistentHash].
type ConsistentHash struct {
	factor   float64
	ring     atomic.Pointer[ring]
	inFlight atomic.Int64
}

// NewConsistentHash returns the policy for one pool. The load factor is above 1; 0 means
// [DefaultLoadFactor], infinity no bound.
func NewConsistentHash(loadFactor float64) *ConsistentHash {
	if loadFactor <= 1 {
		loadFactor = DefaultLoadFactor
	}
	return &ConsistentHash{factor: loadFactor}
}

// ring is the ring of one set of candidates.
type ring struct {
	of     *Candidates
	hashes []uint64 // ascending
	places []int32  // of the candidate
	weight float64  // of all
}

func newRing(c *Candidates) *ring {
	type point struct {
		hash  uint64
		place int32
	}
	var all []point
	total := 0.0
	for i, n := range c.nodes {
		total += c.weights[i]
		id := stablehash.Text(n.id)
		for k := range max(1, int(math.Round(c.weights[i]*points))) {
			all = append(all, point{stablehash.Mix(id + uint64(k)*0x9e3779b97f4a7c15), int32(i)}) //nolint:gosec // small
		}
	}
	slices.SortFunc(all, func(a, b point) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.place, b.place)) })
	r := &ring{of: c, weight: total, hashes: make([]uint64, len(all)), places: make([]int32, len(all))}
	for i, p := range all {
		r.hashes[i], r.places[i] = p.hash, p.place
	}
	return r
}

// Choose implements [Policy].
func (p *ConsistentHash) Choose(c *Candidates, r Request) int {
	if r.Key == 0 || c.Len() == 0 {
		return c.any(r)
	}
	ring := p.ring.Load()
	if ring == nil || ring.of != c {
		// Variants and zones have candidates of their own: whoever comes with others makes
		// the ring again, which takes a millisecond for a thousand.
		ring = newRing(c)
		p.ring.Store(ring)
	}
	mean := float64(max(p.inFlight.Load(), 0)+1) / ring.weight
	from := sort.Search(len(ring.hashes), func(i int) bool { return ring.hashes[i] >= r.Key })
	last := -1
	for k := range ring.hashes {
		i := int(ring.places[(from+k)%len(ring.hashes)])
		if i == last || !r.usable(c.nodes[i]) {
			continue
		}
		last = i
		if float64(c.nodes[i].InFlight()) < math.Ceil(p.factor*mean*c.weights[i]) {
			return i
		}
	}
	return c.any(r)
}

// Begun implements [Beginner].
func (p *ConsistentHash) Begun(*Node) { p.inFlight.Add(1) }

// Ended implements [Observer].
func (p *ConsistentHash) Ended(*Node, time.Duration, time.Duration, Outcome, Speed) {
	p.inFlight.Add(-1)
}
