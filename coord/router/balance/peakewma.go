// SPDX-License-Identifier: Apache-2.0

package balance

import "time"

// tie is the ratio of costs up to which the first drawn gets the request.
const tie = 1.25

// PeakEWMA draws two instances by weight and takes the one with the lower cost:
//
//	(latency + 2 ms) × (requests in flight / weight + 1)
//
// Latency is a peak EWMA as Finagle has it, of this router's own requests.
type PeakEWMA struct{}

// Choose implements [Policy].
func (PeakEWMA) Choose(c *Candidates, r Request) int { return twoChoices(c, r, (*Candidates).cost) }

// LeastRequest draws two instances by weight and takes the one with fewer requests of this
// router in flight, by weight (gRPC's and Envoy's least request).
type LeastRequest struct{}

// Choose implements [Policy].
func (LeastRequest) Choose(c *Candidates, r Request) int {
	return twoChoices(c, r, func(c *Candidates, i int, _ time.Duration) float64 {
		return float64(max(c.nodes[i].inFlight.Load(), 0))/c.weights[i] + 1
	})
}

// twoChoices returns the cheaper of two instances drawn by weight; the first when they are
// about alike, so that an idle fleet is used by weight alone.
func twoChoices(c *Candidates, r Request, cost func(*Candidates, int, time.Duration) float64) int {
	a := c.any(r)
	if a < 0 {
		return -1
	}
	if b := c.another(a, r); b >= 0 && cost(c, b, r.Now)*tie < cost(c, a, r.Now) {
		return b
	}
	return a
}

// another draws an instance that is not a, -1 when there is none.
func (c *Candidates) another(a int, r Request) int {
	if len(c.nodes) == 1 {
		return -1
	}
	for range maxDraws {
		if b := c.Draw(r); b != a {
			return b
		}
	}
	// One instance has nearly all of the weight, or luck.
	if b := (a + 1 + r.Random(len(c.nodes)-1)) % len(c.nodes); r.usable(c.nodes[b]) {
		return b
	}
	return -1
}

// cost says what it would cost to send one more request there. What is in flight
// counts by weight, so that under load an instance of half the weight holds half as
// many; the request itself counts one, so that weights alone do not make an idle
// instance dearer than another.
func (c *Candidates) cost(i int, now time.Duration) float64 {
	n := c.nodes[i]
	inFlight := float64(max(n.inFlight.Load(), 0))
	l := n.latency.read(now)
	if l == 0 && inFlight > 0 && !n.latency.known() {
		l = float64(unknown)
	}
	return (l + float64(bias)) * (inFlight/c.weights[i] + 1)
}
