// SPDX-License-Identifier: Apache-2.0

package router

import (
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/signal"
)

const (
	// windowSeconds is how far back a service's own figures reach.
	windowSeconds = 10

	// buckets of the latency histogram: signal's, from 1 µs to an hour.
	buckets     = 256
	firstBucket = -160
)

// window counts what one service's attempts came to in each of the last seconds. Writers
// and readers take no lock: a count that comes while its second is begun anew can be lost.
type window struct {
	seconds [windowSeconds + 1]second
}

// second is one of them.
type second struct {
	number   atomic.Int64
	requests atomic.Uint32 // by the caller, attempts beyond the first left out
	extra    atomic.Uint32 // retries and hedges
	outcomes [balance.Outcomes]atomic.Uint32
	latency  [buckets]atomic.Uint32 // of attempts that were answered as they should
}

// at returns the second of a time, begun anew where it held an older one.
func (w *window) at(now time.Duration) *second {
	number := int64(now / time.Second)
	s := &w.seconds[number%int64(len(w.seconds))]
	if old := s.number.Load(); old != number && s.number.CompareAndSwap(old, number) {
		s.requests.Store(0)
		s.extra.Store(0)
		for i := range s.outcomes {
			s.outcomes[i].Store(0)
		}
		for i := range s.latency {
			s.latency[i].Store(0)
		}
	}
	return s
}

// ended counts an attempt.
func (w *window) ended(now, took time.Duration, outcome balance.Outcome, speed balance.Speed) {
	s := w.at(now)
	s.outcomes[outcome].Add(1)
	if outcome == balance.OK && speed == balance.Measured {
		s.latency[min(max(signal.Bucket(took.Seconds())-firstBucket, 0), buckets-1)].Add(1)
	}
}

// Stats are figures of one service over the last ten seconds, as this process saw it.
type Stats struct {
	Requests uint64 // that callers made
	Extra    uint64 // retries and hedges
	Attempts uint64 // that say something of the service: cancelled ones are left out
	Failures uint64 // of the attempts

	// Latency holds the attempts that did not fail.
	Latency signal.Histogram
}

// ErrorRatio returns the part of the attempts that failed, 0 to 1.
func (s *Stats) ErrorRatio() float64 { return float64(s.Failures) / float64(max(s.Attempts, 1)) }

// sum adds up the last ten seconds, and the one that has begun.
func (w *window) sum(now time.Duration) Stats {
	var s Stats
	number := int64(now / time.Second)
	for i := range w.seconds {
		sec := &w.seconds[i]
		if age := number - sec.number.Load(); age < 0 || age > windowSeconds {
			continue
		}
		s.Requests += uint64(sec.requests.Load())
		s.Extra += uint64(sec.extra.Load())
		for o := range sec.outcomes {
			if n := uint64(sec.outcomes[o].Load()); balance.Outcome(o) != balance.Cancelled && balance.Outcome(o) != balance.Outlasted { //nolint:gosec // few outcomes
				s.Attempts += n
				if balance.Outcome(o).Failed() { //nolint:gosec // few outcomes
					s.Failures += n
				}
			}
		}
		for b := range sec.latency {
			if n := sec.latency[b].Load(); n > 0 {
				s.Latency.Record(signal.Midpoint(int32(b)+firstBucket, signal.Scale), uint64(n)) //nolint:gosec // few buckets
			}
		}
	}
	return s
}

// mayRepeat takes an attempt beyond the first from the budget: so many are allowed as a part
// of the requests of ten seconds, and a few more, so that a service with little traffic may
// repeat too (Envoy's retry budget: 20 % and 3). Of many that ask at once none gets more than
// that.
func (w *window) mayRepeat(now time.Duration, part float64, few int) bool {
	number := int64(now / time.Second)
	taken := &w.at(now).extra
	taken.Add(1) // first, so that those who ask at the same time see it
	var requests, extra uint32
	for i := range w.seconds {
		if age := number - w.seconds[i].number.Load(); age >= 0 && age < windowSeconds {
			requests += w.seconds[i].requests.Load()
			extra += w.seconds[i].extra.Load()
		}
	}
	if float64(extra) > max(part*float64(requests)+float64(few), 0) {
		subtract(taken)
		return false
	}
	return true
}

// giveBack returns what mayRepeat took a moment ago and nobody used.
func (w *window) giveBack(now time.Duration) { subtract(&w.at(now).extra) }

// subtract takes one away, and from nothing nothing: the second may have begun anew.
func subtract(n *atomic.Uint32) {
	for {
		was := n.Load()
		if was == 0 || n.CompareAndSwap(was, was-1) {
			return
		}
	}
}
