// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"math"

	"github.com/otelplat/platform/coord/signal"
)

// The least change that is worth a write: what readers act on must have moved by
// more than sampling noise, and by enough to matter.
const (
	beyondNoise = 3.0 // standard deviations
	matters     = 0.2 // relative, of failures and latency
	rateMatters = 2.0 // factor, of the rate
)

// published is what readers know of an instance.
type published struct {
	requests, failures uint64 // of 10 s
	latency            float64
	successes          uint64
	evidenceBad        bool // the evidence as it stands condemns
}

func publishedOf(in *signal.Instance) *published {
	p := &published{evidenceBad: signal.Judge(&in.Evidence, signal.MinRequests).State == signal.Bad}
	for i := range in.Windows {
		if w := &in.Windows[i]; w.Seconds == 10 {
			p.requests, p.failures = w.Requests, w.Failures()
			p.latency, p.successes = w.Latency.Mean(), w.Latency.Count()
		}
	}
	return p
}

// moved reports whether what is known now differs from what readers know by more
// than noise and enough to matter.
func (p *published) moved(now *published) bool {
	if p.evidenceBad != now.evidenceBad {
		return true
	}
	a, b := float64(p.requests), float64(now.requests)
	if hi, lo := max(a, b), min(a, b); hi >= rateMatters*lo && hi-lo > beyondNoise*math.Sqrt(hi) {
		return true // counts are Poisson: their deviation is their root
	}
	return ratioMoved(p, now) || latencyMoved(p, now)
}

// ratioMoved is the two-proportion z-test.
func ratioMoved(p, now *published) bool {
	if p.requests == 0 || now.requests == 0 {
		return false // the rate tells
	}
	n1, n2 := float64(p.requests), float64(now.requests)
	r1, r2 := float64(p.failures)/n1, float64(now.failures)/n2
	pooled := (float64(p.failures) + float64(now.failures)) / (n1 + n2)
	deviation := math.Sqrt(pooled * (1 - pooled) * (1/n1 + 1/n2))
	difference := math.Abs(r1 - r2)
	return difference > matters*max(r1, r2) && difference > beyondNoise*deviation
}

// latencyMoved compares means. Latencies scatter about as widely as their mean
// (an exponential distribution), which is where the deviation comes from.
func latencyMoved(p, now *published) bool {
	if p.successes == 0 || now.successes == 0 {
		return false
	}
	larger := max(p.latency, now.latency)
	deviation := larger * math.Sqrt(1/float64(p.successes)+1/float64(now.successes))
	difference := math.Abs(p.latency - now.latency)
	return difference > matters*larger && difference > beyondNoise*deviation
}
