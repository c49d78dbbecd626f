// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"math"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/signal/capacity"
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
	coarse             bool // requests and latency are of 60 s: of the last 10 nothing is known

	capacity capacity.Estimate
}

// published returns what readers would know, beside the evidence, if the instance were
// written now.
func (in *instance) published(now time.Duration, e *signal.Evidence) published {
	p := published{coarse: in.coarse(now), evidenceBad: signal.Judge(e, signal.MinRequests).State == signal.Bad}
	p.requests, p.failures, p.latency, p.successes = in.history.summary(now, p.coarse)
	p.capacity = in.capacity.Estimate(now)
	return p
}

// published is [instance.published] of a scope, which has counts alone.
func (s *scope) published(now time.Duration, e *signal.Evidence) published {
	p := published{coarse: s.coarse(now), evidenceBad: judge(e, signal.ScopeRequests) == signal.Bad}
	p.requests, p.failures, _, _ = s.history.summary(now, p.coarse)
	return p
}

// moved reports whether what is known now differs from what readers know by more
// than noise and enough to matter.
func (p *published) moved(now *published) bool {
	if p.evidenceBad != now.evidenceBad || p.coarse != now.coarse || p.capacity.Moved(now.capacity) {
		return true
	}
	if now.coarse && now.requests == 0 {
		return false // the next report is late
	}
	return rateMoved(p, now) || ratioMoved(p, now) || latencyMoved(p, now)
}

// rateMoved compares counts, which are Poisson: their deviation is their root.
func rateMoved(p, now *published) bool {
	a, b := float64(p.requests), float64(now.requests)
	hi, lo := max(a, b), min(a, b)
	return hi >= rateMatters*lo && hi-lo > beyondNoise*math.Sqrt(hi)
}

// ratio returns the share of the requests that failed, 0 when there were none.
func (p *published) ratio() float64 { return float64(p.failures) / float64(max(p.requests, 1)) }

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
