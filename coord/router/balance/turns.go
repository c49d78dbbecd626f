// SPDX-License-Identifier: Apache-2.0

package balance

import "sync/atomic"

// RoundRobin takes turns, whatever the weights. It must be made by [NewRoundRobin].
type RoundRobin struct{ next atomic.Uint64 }

// NewRoundRobin returns the policy for one pool. It begins at a place of its own, so that
// callers that start together do not all begin with the same instance.
func NewRoundRobin(random func(int) int) *RoundRobin {
	p := &RoundRobin{}
	p.next.Store(uint64(random(fine))) //nolint:gosec // not negative
	return p
}

// Choose implements [Policy].
func (p *RoundRobin) Choose(c *Candidates, r Request) int {
	n := uint64(c.Len())
	for range n {
		i := int(p.next.Add(1) % n) //nolint:gosec // less than n
		node := c.nodes[i]
		if !r.usable(node) {
			continue
		}
		if ramp := node.ramp(r.Now); ramp < 1 && float64(r.Random(fine)) >= ramp*fine {
			continue
		}
		return i
	}
	return -1
}

// Weighted draws by weight, and looks at nothing else.
type Weighted struct{}

// Choose implements [Policy].
func (Weighted) Choose(c *Candidates, r Request) int { return c.any(r) }
