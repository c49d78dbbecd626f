// SPDX-License-Identifier: Apache-2.0

package balance

import "time"

const (
	// mostDrawn is how many instances are compared by what they said with their answers.
	mostDrawn = 8

	// fresh is how old that may be.
	fresh = 500 * time.Millisecond
)

// bestDrawn draws instances by weight and takes the one where a request should take the
// least time. As long as all that were drawn told their load lately there are up to eight
// of them: a caller with much of the traffic knows the load of all by the answers that it
// gets anyway. Otherwise there are two, compared by what requests took: callers that
// compare more by knowledge that they share all choose the same. So it is too where requests
// take so little that the model is not worth asking for: a process's own use of CPU is then
// more than its requests', and what it leaves in their service demand would decide.
func bestDrawn(c *Candidates, r Request, model bool) int {
	best := c.any(r)
	if best < 0 || len(c.nodes) == 1 {
		return best
	}
	for range 2 { // better one that is not doubted, but not at any price
		if !c.nodes[best].doubted.Load() {
			break
		}
		if i := c.Draw(r); i >= 0 {
			best = i
		}
	}
	took, known := c.told(best, r.Now)
	known = known && model
	for drawn := 1; known && drawn < mostDrawn; drawn++ {
		i := c.Draw(r)
		if i < 0 || i == best || c.nodes[i].doubted.Load() {
			continue
		}
		t, ok := c.told(i, r.Now)
		if !ok {
			known = false
			break
		}
		if t*tie < took {
			best, took = i, t
		}
	}
	if known {
		return best
	}
	if other := c.another(best, r); other < 0 || !c.nodes[other].doubted.Load() {
		return c.cheaper(best, other, r.Now)
	}
	return best
}

// told predicts what a request would take at an instance that told its load lately and
// whose capacity is known.
func (c *Candidates) told(i int, now time.Duration) (float64, bool) {
	n := c.nodes[i]
	l := n.Load()
	capacity := n.capacity.load()
	if !l.Known() || now-l.At > fresh || !capacity.Known() {
		return 0, false
	}
	took := capacity.Latency(float64(max(0, l.InFlight+n.InFlight()-l.Own)) / c.weights[i])
	return n.failing.price(now) * (took + float64(bias)), true
}

// cheaper returns b where it costs clearly less than a, by this router's own requests.
func (c *Candidates) cheaper(a, b int, now time.Duration) int {
	if b >= 0 && c.cost(b, now)*c.nodes[b].failing.price(now)*tie < c.cost(a, now)*c.nodes[a].failing.price(now) {
		return b
	}
	return a
}
