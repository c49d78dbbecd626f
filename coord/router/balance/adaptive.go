// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// The defaults of [Adaptive].
const (
	DefaultProbesPerRequest = 2.0
	DefaultProbesPerSecond  = 50.0

	// heardLately is how fresh what an instance said of itself must be to be as good as a
	// probe.
	heardLately = 100 * time.Millisecond

	// worthProbing is the median latency from which on a probe costs less than it gains.
	worthProbing = 5 * time.Millisecond
)

// AdaptiveOptions are the options of [NewAdaptive].
type AdaptiveOptions struct {
	ProbesPerRequest float64       // at most; 0: none
	ProbesPerSecond  float64       // at most; 0: no limit
	WorthProbing     time.Duration // median latency; 0: any
}

// Adaptive predicts how long a request would take at each of the instances that it knows
// the load of, and takes the least: [Capacity.Latency] of the requests in flight there.
// Where the fleet does not know an instance's capacity, Prequal's rule stands in for it.
type Adaptive struct {
	options  AdaptiveOptions
	removals float64
	answers  answers
	hot      quantile // of the requests in flight that were heard of
	median   median   // of latency
	credit   atomic.Int64
	bucket   bucket
}

// NewAdaptive returns the policy for one pool.
func NewAdaptive(o AdaptiveOptions) *Adaptive {
	a := &Adaptive{options: o, removals: removalsOf(o.ProbesPerRequest)}
	a.bucket.perSecond = o.ProbesPerSecond
	return a
}

// removalsOf is how many answers are removed with each request: one of three probes, as the
// paper has it, and fewer of fewer, so that enough are left to choose from.
func removalsOf(rate float64) float64 { return max(rate/4, (rate-1)/2) }

// Choose implements [Policy].
func (a *Adaptive) Choose(c *Candidates, r Request) int {
	hot := a.hot.value()
	score := func(c *Candidates, i int, x *answer) float64 { return a.score(c, i, x, hot) }
	if i, ok := a.answers.choose(c, r, score, a.removals); ok {
		return i
	}
	return twoChoices(c, r, (*Candidates).predicted)
}

// score is what a request would take at an instance that answered.
func (a *Adaptive) score(c *Candidates, i int, x *answer, hot float64) float64 {
	inFlight := x.inFlight() / c.weights[i]
	if capacity := x.node.capacity.load(); capacity.Known() {
		return capacity.Latency(inFlight)
	}
	// Prequal's rule, as a score: a cold instance counts by its latency, a hot one comes
	// after all others, by its requests in flight.
	if inFlight > hot {
		return math.MaxFloat32 * (inFlight + 1)
	}
	return float64(x.report.Latency)
}

// predicted is the cost of an instance whose load nobody told lately.
func (c *Candidates) predicted(i int, now time.Duration) float64 {
	n := c.nodes[i]
	capacity := n.capacity.load()
	if !capacity.Known() {
		return c.cost(i, now)
	}
	return c.cost(i, now)
}

// Ask implements [Prober].
func (a *Adaptive) Ask(c *Candidates, r Request, ask func(*Node)) {
	if a.options.ProbesPerRequest <= 0 || c.Len() < 2 || a.median.value() < a.options.WorthProbing {
		return
	}
	credit := a.credit.Add(int64(a.options.ProbesPerRequest * 1000))
	for ; credit >= 1000; credit = a.credit.Add(-1000) {
		i := c.Draw(r)
		if i < 0 {
			continue
		}
		n := c.Node(i)
		if l := n.Load(); l.Known() && r.Now-l.At <= heardLately {
			// It said so itself just now, with an answer: that is worth a probe. Whom to ask
			// was left to chance, so that what it says is not of those that were chosen.
			a.heard(n, l.At, Report{InFlight: max(0, l.InFlight+n.InFlight()-l.Own), Latency: l.Latency}, c.Len(), r.Random)
			continue
		}
		if a.bucket.take(r.Now) {
			ask(n)
		}
	}
}

// Heard implements [Prober].
func (a *Adaptive) Heard(c *Candidates, r Request, n *Node, report Report) {
	a.heard(n, r.Now, report, c.Len(), r.Random)
}

func (a *Adaptive) heard(n *Node, at time.Duration, report Report, instances int, random func(int) int) {
	a.hot.add(float64(report.InFlight))
	a.answers.add(&answer{node: n, report: report, at: at,
		uses: usesOf(instances, a.options.ProbesPerRequest, a.removals, random)})
}

// Ended implements [Observer].
func (a *Adaptive) Ended(_ *Node, _, took time.Duration, outcome Outcome) {
	if outcome == OK {
		a.median.add(took)
	}
}
