// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// hotAbove is the quantile of requests in flight above which an instance is hot: 2^-0.25,
// the paper's.
const hotAbove = 0.84

// quantile estimates the quantile hotAbove of a stream of small numbers, which it forgets by
// half every 128. The zero value is ready; it takes no lock.
type quantile struct {
	counts [256]atomic.Uint32 // by number; the last holds all that is greater
	n      atomic.Uint32
	cached atomic.Uint32
}

func (q *quantile) add(v float64) {
	q.counts[int(min(v, float64(len(q.counts)-1)))].Add(1)
	if n := q.n.Add(1); n%8 != 0 && n > 8 {
		return
	}
	// Now and then, by whoever comes: the quantile, and oblivion.
	total := uint32(0)
	for i := range q.counts {
		total += q.counts[i].Load()
	}
	seen := uint32(0)
	for i := range q.counts {
		if seen += q.counts[i].Load(); float64(seen) > hotAbove*float64(total) {
			q.cached.Store(uint32(i)) //nolint:gosec // less than 256
			break
		}
	}
	if total > 128 {
		for i := range q.counts {
			c := &q.counts[i]
			c.Store(c.Load() / 2)
		}
	}
}

func (q *quantile) value() float64 {
	if q.n.Load() == 0 {
		return math.Inf(1)
	}
	return float64(q.cached.Load())
}

// median follows the median of latencies: a step of 2 % towards each (frugal streaming, Ma,
// Muthukrishnan and Sandler 2013). The zero value is ready; it takes no lock, and loses a
// step to a race.
type median struct{ bits atomic.Uint64 }

func (m *median) add(v time.Duration) {
	now := math.Float64frombits(m.bits.Load())
	switch x := float64(v); {
	case now == 0:
		now = x
	case x > now:
		now *= 1.02
	case x < now:
		now /= 1.02
	}
	m.bits.Store(math.Float64bits(now))
}

func (m *median) value() time.Duration { return time.Duration(math.Float64frombits(m.bits.Load())) }

// bucket is a token bucket of a second's tokens, and of one at least. The zero value has no
// limit.
type bucket struct {
	perSecond float64
	full      atomic.Int64 // when it will be full again
}

func (b *bucket) take(now time.Duration) bool {
	if b.perSecond <= 0 {
		return true
	}
	each := time.Duration(min(float64(time.Second)/b.perSecond, float64(time.Hour)))
	for {
		full := b.full.Load()
		next := max(full, int64(now)) + int64(each)
		if next > int64(now+max(time.Second, each)) {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}

// rate follows how much of something there is for a request. The zero value is ready; it takes
// no lock.
type rate struct{ requests, counted atomic.Uint32 }

// window is how many requests the rate is of, between half of that and all.
const window = 64

func (r *rate) request() {
	if n := r.requests.Add(1); n >= window && r.requests.CompareAndSwap(n, n/2) {
		r.counted.Store(r.counted.Load() / 2)
	}
}

func (r *rate) count() { r.counted.Add(1) }

func (r *rate) value() float64 {
	return float64(r.counted.Load()) / float64(max(r.requests.Load(), 1))
}
