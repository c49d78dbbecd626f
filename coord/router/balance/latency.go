// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// decay is the time constant of the latency, near kratos's 600 ms. With the 10 s of
	// Finagle and Linkerd one slow answer (a collection of garbage) keeps an instance out
	// of favour for as long: of ten alike, of which one answer in 500 takes five times as
	// long, the luckiest got 1.45 times its share of ten seconds, and so it gets 1.10. The
	// long memory is the fleet's, which the latency decays to.
	decay = 500 * time.Millisecond

	// bias is added to every latency, so that what is 0.1 ms faster does not get
	// twice the requests.
	bias = 2 * time.Millisecond

	// unknown is the latency of an instance that has not answered yet and has
	// something to answer: it gets one request at a time until it does. It is also
	// what an instance counts whose first answer was that it declines.
	unknown = time.Second
)

// latency is a peak EWMA in nanoseconds. Reads are lock-free; the node's lock
// serialises writers. A read between the two writes of an observation sees the new
// value a little more decayed, which is harmless.
type latency struct {
	value atomic.Uint64 // float64
	at    atomic.Int64  // of the last observation, or never
	prior atomic.Int64  // what the fleet measures, 0 when nobody knows
}

func (l *latency) known() bool { return time.Duration(l.at.Load()) != never }

// read returns the latency now: the last value, decayed towards the prior. Without
// a prior that is zero, so that an instance which was slow is tried again.
func (l *latency) read(now time.Duration) float64 {
	at, prior := time.Duration(l.at.Load()), float64(l.prior.Load())
	if at == never {
		return prior
	}
	value := math.Float64frombits(l.value.Load())
	idle := now - at
	if idle < decay/1000 {
		return value // within 0.1 %, and saves the exponential on a busy instance
	}
	return prior + (value-prior)*math.Exp(-float64(idle)/float64(decay))
}

// observe counts an answer. One that failed, or declined, can make the instance look
// slower, never faster: who fails at once must not attract requests. A first answer
// that failed leaves the latency unknown: ejection deals with such an instance, the
// sooner the more it is tried.
func (l *latency) observe(now, took time.Duration, failed, declined bool) {
	at, x := time.Duration(l.at.Load()), float64(took)
	switch current := l.read(now); {
	case at == never && failed:
		return
	case at == never && declined:
		x = max(x, current, float64(unknown))
	case at == never || x >= current:
	case failed || declined:
		return
	default:
		w := math.Exp(-float64(max(now-at, 0)) / float64(decay))
		x = math.Float64frombits(l.value.Load())*w + x*(1-w)
	}
	l.value.Store(math.Float64bits(x))
	l.at.Store(int64(max(now, at)))
}
