// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// Prequal is "Load is not what you should balance" (NSDI'24): probes ask replicas for their
// requests in flight and latency; of the probes in a pool, those whose requests in flight
// are above a quantile are hot; the cold one with the least latency is taken, or the hot
// one with the fewest requests in flight.
func Prequal() sim.Family {
	return family(func(random *rand.Rand, truth *sim.Truth) sim.Policy {
		p := &prequal{random: random, order: make([]int, truth.Len())}
		for i := range p.order {
			p.order[i] = i
		}
		return p
	})
}

// The parameters of the paper's testbed.
const (
	poolSize  = 16
	probeAge  = time.Second
	probeRate = 3.0
	removals  = 1.0
	delta     = 1.0
	hotAbove  = 0.8408964152537145 // 2^-0.25
	remembers = 128                // requests in flight, of which the quantile is taken
)

type prequal struct {
	random  *rand.Rand
	order   []int
	pool    []entry
	recent  [remembers]int // requests in flight, as they were heard
	sorted  []int          // the same, ascending
	heard   int
	worst   bool // the next to be removed is the worst, not the oldest
	removed float64
}

type entry struct {
	replica, inFlight int
	latency           time.Duration
	at                time.Duration
	uses              int
}

func (p *prequal) Choose(now time.Duration) (int, any) {
	p.pool = slices.DeleteFunc(p.pool, func(e entry) bool { return now-e.at > probeAge })
	if len(p.pool) < 2 {
		return p.random.IntN(len(p.order)), nil
	}
	hot := p.hot()
	best := 0
	for i := range p.pool {
		if better(&p.pool[i], &p.pool[best], hot) {
			best = i
		}
	}
	e := &p.pool[best]
	chosen := e.replica
	e.inFlight++
	if e.uses--; e.uses <= 0 {
		p.pool = slices.Delete(p.pool, best, best+1)
	}
	for p.removed += removals; p.removed >= 1; p.removed-- {
		p.remove(hot)
	}
	return chosen, nil
}

// better reports whether a is to be preferred to b.
func better(a, b *entry, hot int) bool {
	switch aHot, bHot := a.inFlight > hot, b.inFlight > hot; {
	case aHot != bHot:
		return bHot
	case aHot:
		return a.inFlight < b.inFlight
	}
	return a.latency < b.latency
}

// remove takes out the oldest and the worst in turns.
func (p *prequal) remove(hot int) {
	if len(p.pool) == 0 {
		return
	}
	out := 0
	for i := range p.pool {
		if p.worst && better(&p.pool[out], &p.pool[i], hot) || !p.worst && p.pool[i].at < p.pool[out].at {
			out = i
		}
	}
	p.worst = !p.worst
	p.pool = slices.Delete(p.pool, out, out+1)
}

// hot returns the quantile of the requests in flight that were heard of.
func (p *prequal) hot() int {
	return p.sorted[min(int(hotAbove*float64(len(p.sorted))), len(p.sorted)-1)]
}

func (p *prequal) Done(time.Duration, sim.Outcome) {}

func (p *prequal) Probes(_ time.Duration, ask func(replica int)) {
	// Without replacement: the first places of a shuffle.
	for i := range min(int(probeRate), len(p.order)) {
		j := i + p.random.IntN(len(p.order)-i)
		p.order[i], p.order[j] = p.order[j], p.order[i]
		ask(p.order[i])
	}
}

func (p *prequal) Probed(now time.Duration, r sim.Report) {
	p.remember(r.InFlight)
	e := entry{replica: r.Replica, inFlight: r.InFlight, latency: r.Latency, at: now, uses: p.uses()}
	for i := range p.pool {
		if p.pool[i].replica == r.Replica {
			p.pool[i] = e
			return
		}
	}
	if len(p.pool) == poolSize {
		oldest := 0
		for i := range p.pool {
			if p.pool[i].at < p.pool[oldest].at {
				oldest = i
			}
		}
		p.pool = slices.Delete(p.pool, oldest, oldest+1)
	}
	p.pool = append(p.pool, e)
}

// remember puts a number in the place of the oldest.
func (p *prequal) remember(inFlight int) {
	oldest := &p.recent[p.heard%remembers]
	if p.heard >= remembers {
		i, _ := slices.BinarySearch(p.sorted, *oldest)
		p.sorted = slices.Delete(p.sorted, i, i+1)
	}
	i, _ := slices.BinarySearch(p.sorted, inFlight)
	p.sorted = slices.Insert(p.sorted, i, inFlight)
	*oldest = inFlight
	p.heard++
}

// uses returns how often a probe may be used, rounded at random (equation 1 of the paper).
func (p *prequal) uses() int {
	budget := math.Inf(1)
	if rest := (1-float64(poolSize)/float64(len(p.order)))*probeRate - removals; rest > 0 {
		budget = max(1, (1+delta)/rest)
	}
	budget = min(budget, poolSize)
	whole := math.Floor(budget)
	if p.random.Float64() < budget-whole {
		whole++
	}
	return int(whole)
}
