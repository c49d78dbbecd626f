// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"slices"
	"time"
)

// Instances are compared with each other as gRPC's outlier detection does it (A50), by what
// this router saw of them: every compareEvery, when at least compareHosts of them had
// compareVolume requests.
const (
	compareEvery  = 10 * time.Second
	compareHosts  = 5
	compareVolume = 100

	// leastDifference is how far below the mean a success rate must be, whatever the
	// deviation: where all others are perfect one failure in two hundred is many deviations
	// away, and no reason to lose an instance.
	leastDifference = 0.05
)

// compare takes out who stands out from the others, and returns when to look again. Success
// rates and mean latencies are of the same ten seconds for all: the latency that requests are
// routed by forgets too fast for that, and would tell who answered last.
func (p *Pool) compare(now time.Duration) time.Duration {
	e := &p.settings.Ejection
	if e.Mode == Off || e.Stdev <= 0 && e.Latency <= 0 || len(p.known) < compareHosts {
		return math.MaxInt64
	}
	if next := p.compared + compareEvery; now < next && p.compared > 0 {
		return next
	}
	p.compared = now
	var nodes []*Node
	var rates, latencies []float64
	out := 0
	for _, n := range p.known {
		if State(n.state.Load()) != Active {
			out++
			continue
		}
		n.mu.Lock()
		sum := n.record.sum(now)
		n.mu.Unlock()
		if sum.requests >= compareVolume {
			nodes = append(nodes, n)
			rates = append(rates, 1-float64(sum.failures)/float64(sum.requests))
			latencies = append(latencies, sum.mean())
		}
	}
	if len(nodes) < compareHosts {
		return now + compareEvery
	}
	least := math.Inf(-1)
	if e.Stdev > 0 {
		mean, deviation := spread(rates)
		least = mean - max(e.Stdev*deviation, leastDifference)
	}
	most := math.Inf(1)
	if e.Latency > 0 {
		sorted := slices.Sorted(slices.Values(latencies))
		most = e.Latency * sorted[len(sorted)/2]
	}
	for i, n := range nodes {
		if out >= p.limit(len(p.known)) {
			break
		}
		switch {
		case rates[i] < least:
			n.stands = Figure{"success_rate", rates[i], least}
			p.eject(n, now, Outlier)
		case latencies[i] > most:
			n.stands = Figure{"latency", latencies[i], most}
			p.eject(n, now, Sluggish)
		default:
			continue
		}
		out++ // also where it is only told
	}
	return now + compareEvery
}

// spread returns the mean and the standard deviation.
func spread(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, math.Sqrt(deviation)
}
