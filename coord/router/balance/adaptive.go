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

	// One request in oneInTries goes to an instance that this router sent none for neglect,
	// unless requests wait there already: what is known of it would otherwise never change,
	// should it be wrong. More would be seen in the tail: where a third of the fleet is slow,
	// a request of each of a hundred callers every 10 s raised the 99th percentile by a third.
	neglect    = 10 * time.Second
	oneInTries = 1000
)

// AdaptiveOptions are the options of [NewAdaptive].
type AdaptiveOptions struct {
	ProbesPerRequest float64       // at most; 0: none
	ProbesPerSecond  float64       // at most; 0: no limit
	WorthProbing     time.Duration // median latency; 0: any
}

// adaptiveReuse is the paper's delta where up to two answers come for a request, and half of it
// where there are more: enough are fresh then, and an answer is right about the first request
// that goes by it and less about the next.
func adaptiveReuse(rate float64) float64 { return prequalReuse * min(max(3-rate, 0.5), 1) }

// enoughAsked is how many requests one probe is enough for.
const enoughAsked = 4.0

// DefaultAdaptive returns the default options: a third probe for a request would cost half
// as much again and gain 4 % of the 99.9th percentile (docs/routing.md).
func DefaultAdaptive() AdaptiveOptions {
	return AdaptiveOptions{
		ProbesPerRequest: DefaultProbesPerRequest, ProbesPerSecond: DefaultProbesPerSecond, WorthProbing: worthProbing,
	}
}

// evenly is how far the service demands of instances that have nothing to wait for may be
// apart to be as good as equal: chance decides among them, so that an idle fleet shares the
// requests instead of leaving all to the one that a rounding error favours.
const evenly = 0.1

// samples is how many instances are looked at with each request, for what they said lately,
// also where fewer may be asked.
const samples = 2.0

// Adaptive predicts how long a request would take at each of the instances that it knows
// the load of, and takes the least: [Capacity.Latency] of the requests in flight there.
// Where the fleet does not know an instance's capacity, Prequal's rule stands in for it.
type Adaptive struct {
	options  AdaptiveOptions
	reuse    func(rate float64) float64 // see usesOf
	answers  answers
	_        apart
	hot      quantile // of the requests in flight that were heard of
	answered rate     // a request
	asked    rate     // a request
	_        apart
	median   median // of latency
	_        apart
	looks    atomic.Int64 // owed, in thousandths
	probes   atomic.Int64 // allowed, in thousandths
	bucket   bucket
	doubts   doubts
}

// apart keeps what each request writes off the cache line of what each request reads.
type apart [64]byte

// NewAdaptive returns the policy for one pool.
func NewAdaptive(o AdaptiveOptions) *Adaptive {
	a := &Adaptive{options: o, reuse: adaptiveReuse}
	a.bucket.perSecond = o.ProbesPerSecond
	return a
}

// removalsOf is how many answers are removed with each request: one of three probes, as the
// paper has it, and fewer of fewer, so that enough are left to choose from.
func removalsOf(rate float64) float64 { return max(rate/4, (rate-1)/2) }

// Choose implements [Policy].
func (a *Adaptive) Choose(c *Candidates, r Request) int {
	a.doubts.look(c, r.Now)
	// Where few are asked, the answers are of those that got requests; chance sees to it
	// that the others get some.
	if asked := enoughAsked * a.asked.value(); asked >= 1 || float64(r.Random(fine)) < asked*fine {
		rate := a.answered.value()
		by := rule{hot: a.hot.value(), typical: float64(a.median.value()), model: true, since: never, now: r.Now}
		if r.Random(oneInTries) == 0 {
			by.since = r.Now - neglect
		}
		if i, ok := a.answers.choose(c, r, by, removalsOf(rate)); ok {
			return i
		}
	}
	return bestDrawn(c, r, a.median.value() >= a.options.WorthProbing)
}

// rule is how answers are scored: what a request would take at an instance, the least wins.
type rule struct {
	hot     float64       // more requests in flight are too many, by Prequal's rule
	typical float64       // latency of an instance that does not know its own
	model   bool          // the fleet's knowledge goes first, where there is any
	since   time.Duration // whoever got no request since gets one; never: nobody does
	now     time.Duration
}

func (by *rule) score(c *Candidates, i int, x *answer) float64 {
	inFlight := x.inFlight()
	if w := c.weights[i]; w != 1 { // saves a division, mostly
		inFlight /= w
	}
	took, waits := float64(x.report.Latency), inFlight > by.hot
	if took == 0 {
		took = by.typical // it has answered nobody yet, or nobody as it should: that is not fast
	}
	if waits {
		took = math.MaxFloat32 * (inFlight + 1)
	}
	if by.model {
		if idle, slope := x.node.capacity.line(); idle > 0 {
			took = (inFlight + 1) * slope
			if waits = took > idle; !waits {
				took = idle * (1 + x.luck)
			}
		}
	}
	if by.since != never && !waits && time.Duration(x.node.begun.Load()) < by.since {
		took = 0
	}
	if by.model {
		return doubtedLast(x.node, took*x.node.failing.price(by.now))
	}
	return took
}

// Ask implements [Prober]. Whose load to learn is left to chance, so that the answers are
// not of those that were chosen: an answer to a request is worth a probe only where chance
// would have asked.
func (a *Adaptive) Ask(c *Candidates, r Request, ask func(*Node)) {
	a.answered.request()
	a.asked.request()
	if c.Len() < 2 {
		return
	}
	perRequest := a.options.ProbesPerRequest
	probes := a.probes.Add(int64(perRequest * 1000))
	looks := a.looks.Add(int64(max(samples, perRequest) * 1000))
	for ; looks >= 1000; looks = a.looks.Add(-1000) {
		i := c.Draw(r)
		if i < 0 {
			continue
		}
		n := c.Node(i)
		if l := n.Load(); l.Known() && r.Now-l.At <= heardLately {
			a.heard(n, l.At, Report{InFlight: max(0, l.InFlight+n.InFlight()-l.Own), Latency: l.Latency}, c.Len(), r.Random)
			continue
		}
		if probes >= 1000 && a.median.value() >= a.options.WorthProbing && a.bucket.take(r.Now) {
			probes = a.probes.Add(-1000)
			a.asked.count()
			ask(n)
		}
	}
	if probes > 2000 {
		a.probes.Store(1000) // what was not needed is not saved
	}
}

// Heard implements [Prober].
func (a *Adaptive) Heard(c *Candidates, r Request, n *Node, report Report) {
	a.heard(n, r.Now, report, c.Len(), r.Random)
}

func (a *Adaptive) heard(n *Node, at time.Duration, report Report, instances int, random func(int) int) {
	a.hot.add(float64(report.InFlight))
	a.answered.count()
	rate := a.answered.value()
	a.answers.add(&answer{node: n, report: report, at: at, luck: evenly * float64(random(fine)) / fine, uses: usesOf(instances, rate, removalsOf(rate), a.reuse(rate), random)})
}

// Ended implements [Observer].
func (a *Adaptive) Ended(_ *Node, _, took time.Duration, outcome Outcome, speed Speed) {
	if outcome == OK && speed == Measured {
		a.median.add(took)
	}
}
