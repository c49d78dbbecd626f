// SPDX-License-Identifier: Apache-2.0

package balance

import "time"

// Prequal is the balancer of "Load is not what you should balance" (NSDI'24) with its
// parameters: as [Adaptive], but it asks whatever it knows, and goes by its own rule also
// where the fleet knows an instance's capacity, and sends nothing to one that says it is slow
// until the others are hot. It must be made by [NewPrequal].
type Prequal struct{ adaptive Adaptive }

// PrequalProbes is how many probes the paper sends for a request.
const PrequalProbes = 3.0

// prequalReuse is the paper's delta.
const prequalReuse = 1.0

// NewPrequal returns the policy for one pool.
func NewPrequal(probesPerRequest, probesPerSecond float64) *Prequal {
	p := &Prequal{}
	p.adaptive.options = AdaptiveOptions{ProbesPerRequest: probesPerRequest}
	p.adaptive.reuse = func(float64) float64 { return prequalReuse }
	p.adaptive.bucket.perSecond = probesPerSecond
	return p
}

// Choose implements [Policy].
func (p *Prequal) Choose(c *Candidates, r Request) int {
	a := &p.adaptive
	if i, ok := a.answers.choose(c, r, rule{hot: a.hot.value(), since: never}, removalsOf(a.answered.value())); ok {
		return i
	}
	return c.any(r)
}

// Ask implements [Prober].
func (p *Prequal) Ask(c *Candidates, r Request, ask func(*Node)) {
	a := &p.adaptive
	a.answered.request()
	if c.Len() < 2 {
		return
	}
	probes := a.probes.Add(int64(a.options.ProbesPerRequest * 1000))
	for ; probes >= 1000; probes = a.probes.Add(-1000) {
		if i := c.Draw(r); i >= 0 && a.bucket.take(r.Now) {
			ask(c.Node(i))
		}
	}
}

// Heard implements [Prober].
func (p *Prequal) Heard(c *Candidates, r Request, n *Node, report Report) {
	p.adaptive.Heard(c, r, n, report)
}

// Ended implements [Observer].
func (*Prequal) Ended(*Node, time.Duration, time.Duration, Outcome, Speed) {}
