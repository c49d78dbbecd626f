// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"slices"
	"sync"
	"time"
)

// Candidates are the instances in rotation among which a policy chooses. They are
// immutable; a change of states makes new ones.
type Candidates struct {
	nodes   []*Node
	weights []float64 // above 0, at most 1
	places  []int32   // by the node's number: its index, -1 when it is not here

	// Walker's alias method: a draw by weight costs the same for any number of instances.
	keep  []float64
	alias []int32

	// The ring of consistent hashing, made when it is needed.
	hashed sync.Once
	ring   *ring
}

// leastWeight is what an instance counts at least, relative to the heaviest: whatever its
// registration says, it is drawn now and then, and nothing is divided by zero.
const leastWeight = 1e-6

// relative returns a weight in terms of the heaviest, from leastWeight to 1; also where one of
// them is not a number.
func relative(weight, heaviest float64) float64 {
	if w := weight / heaviest; w >= leastWeight {
		return min(w, 1)
	}
	return leastWeight
}

// with returns the candidates of these nodes and weights: c itself when it has the same, so
// that what a policy derives from them outlives a table that changed elsewhere, or not at all.
func (c *Candidates) with(nodes []*Node, weights []float64, numbers int) *Candidates {
	if c != nil && slices.Equal(c.nodes, nodes) && slices.Equal(c.weights, weights) {
		return c
	}
	return newCandidates(nodes, weights, numbers)
}

// maxDraws bounds the search for an instance that is usable and accepts.
const maxDraws = 8

// fine is the resolution of random numbers.
const fine = 1 << 30

func newCandidates(nodes []*Node, weights []float64, numbers int) *Candidates {
	c := &Candidates{nodes: nodes, weights: weights, places: make([]int32, numbers)}
	for i := range c.places {
		c.places[i] = -1
	}
	sum := 0.0
	for i, n := range nodes {
		c.places[n.number] = int32(i) //nolint:gosec // far fewer than 2^31 instances
		sum += weights[i]
	}
	c.keep, c.alias = make([]float64, len(nodes)), make([]int32, len(nodes))
	// Vose: columns of equal height, each of one instance or of two.
	var small, large []int32
	for i, w := range weights {
		c.keep[i] = w / sum * float64(len(nodes))
		c.alias[i] = int32(i) //nolint:gosec // as above
		if c.keep[i] < 1 {
			small = append(small, int32(i)) //nolint:gosec // as above
		} else {
			large = append(large, int32(i)) //nolint:gosec // as above
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		c.alias[s] = l
		if c.keep[l] -= 1 - c.keep[s]; c.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, rest := range [...][]int32{small, large} {
		for _, i := range rest {
			c.keep[i] = 1 // but for rounding it is
		}
	}
	return c
}

// Len returns how many there are.
func (c *Candidates) Len() int { return len(c.nodes) }

// Node returns candidate i.
func (c *Candidates) Node(i int) *Node { return c.nodes[i] }

// Weight returns the weight of candidate i, relative to the heaviest instance: above 0, at
// most 1.
func (c *Candidates) Weight(i int) float64 { return c.weights[i] }

// Place returns the index of an instance, -1 when it is not a candidate.
func (c *Candidates) Place(n *Node) int {
	if n.number >= len(c.places) {
		return -1
	}
	if i := c.places[n.number]; i >= 0 && c.nodes[i] == n {
		return int(i)
	}
	return -1
}

// Draw returns an instance at random in proportion to weight × ramp, -1 when none that it
// drew was usable. The weights are exact; when all drawn are ramping and decline, the last
// of them is taken.
func (c *Candidates) Draw(r Request) int {
	declined := -1
	if len(c.nodes) == 0 {
		return -1
	}
	for range maxDraws {
		i := r.Random(len(c.nodes))
		if keep := c.keep[i]; keep < 1 && float64(r.Random(fine)) >= keep*fine {
			i = int(c.alias[i])
		}
		n := c.nodes[i]
		if !r.usable(n) {
			continue
		}
		if ramp := n.ramp(r.Now); ramp < 1 && float64(r.Random(fine)) >= ramp*fine {
			declined = i
			continue
		}
		return i
	}
	return declined
}

// any draws an instance, and where drawing finds none that is usable, searches one.
func (c *Candidates) any(r Request) int {
	if i := c.Draw(r); i >= 0 {
		return i
	}
	return search(c.nodes, r)
}

// search returns a usable instance, -1 when there is none: few are usable, and drawing found
// none of them. It goes round in steps of a random length, because in steps of one whoever
// stands behind many that are not usable would get the requests of them all.
func search(nodes []*Node, r Request) int {
	n := len(nodes)
	if n == 0 {
		return -1
	}
	i, step := r.Random(n), 1+r.Random(n)
	for divisor(step, n) != 1 {
		step++
	}
	for range n {
		if r.usable(nodes[i]) {
			return i
		}
		i = (i + step) % n
	}
	return -1
}

// divisor returns the greatest common divisor: at 1, steps of a round n meet all.
func divisor(a, n int) int {
	for n != 0 {
		a, n = n, a%n
	}
	return a
}

// ramp returns the share of its traffic that the instance gets now.
func (n *Node) ramp(now time.Duration) float64 {
	back := time.Duration(n.returned.Load())
	whole := time.Duration(n.rampFor.Load())
	if back == never || now-back >= whole {
		return 1
	}
	return max(rampFloor, float64(now-back)/float64(whole))
}
