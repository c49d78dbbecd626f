// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"math/bits"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// maxLatencyAge is how long a completed request tells something of the next one. A load
	// that comes back after a while finds what it took then: in the simulation (routesim) the
	// 99.9th percentile of callers that go by latency is 5 to 10 % lower than with 5 s, when a
	// loaded server knows short requests only, because the long ones have not ended yet.
	maxLatencyAge = 30 * time.Second

	perLoad    = 16 // completions kept of each load
	minSamples = 5  // that a median is taken of, where there are as many

	exactLoads = 16 // each has a bucket of its own; above, each doubling has four
	loads      = exactLoads + 4*(countBits-4)
)

// latencies keeps recent completions by the requests in flight at their arrival, as
// Prequal does (NSDI'24). The last 16 of each load are kept, so memory is bounded (11 kB)
// and a busy server's answer is some milliseconds old. There are no locks: a reader may
// miss what is written while it reads.
type latencies [loads]recent

type recent struct {
	next  atomic.Uint32
	slots [perLoad]atomic.Uint64 // see pack; 0: empty
}

// pack puts when a request ended, in ms, and the time that it took, in µs, into one word.
func pack(ended, took time.Duration) uint64 {
	us := min(max(took.Microseconds(), 1), 1<<32-1)
	return uint64(uint32(ended.Milliseconds()))<<32 | uint64(us)
}

// loadOf returns the bucket of so many requests in flight: the width is a quarter of the
// power of two below it, at most.
func loadOf(inFlight int) int {
	if inFlight < exactLoads {
		return max(inFlight, 0)
	}
	exponent := bits.Len(uint(inFlight)) - 1 // 4 or more
	quarter := inFlight >> (exponent - 2) & 3
	return min(exactLoads+4*(exponent-4)+quarter, loads-1)
}

func (l *latencies) add(inFlight int, ended, took time.Duration) {
	r := &l[loadOf(inFlight)]
	r.slots[(r.next.Add(1)-1)%perLoad].Store(pack(ended, took))
}

// at returns the median of recent completions at about this load, those at the nearest
// loads where there are fewer than five; 0 when there are none.
func (l *latencies) at(inFlight int, now time.Duration) time.Duration {
	var buf [minSamples + 2*perLoad]uint32
	samples := buf[:0]
	b := loadOf(inFlight)
	for distance := 0; distance < loads && len(samples) < minSamples; distance++ {
		if i := b - distance; i >= 0 {
			samples = l[i].fresh(samples, now)
		}
		if i := b + distance; i < loads && distance > 0 {
			samples = l[i].fresh(samples, now)
		}
	}
	if len(samples) == 0 {
		return 0
	}
	slices.Sort(samples)
	return time.Duration(samples[len(samples)/2]) * time.Microsecond
}

// fresh appends what took how long, from the newest back to the first that is too old.
func (r *recent) fresh(samples []uint32, now time.Duration) []uint32 {
	ms := uint32(now.Milliseconds())
	next := r.next.Load()
	for i := uint32(1); i <= perLoad; i++ {
		slot := r.slots[(next-i)%perLoad].Load()
		// Negative when it ended after now was read, and when it is weeks old: the
		// milliseconds of 32 bits come again after 50 days.
		age := time.Duration(int32(ms-uint32(slot>>32))) * time.Millisecond
		if slot == 0 || age > maxLatencyAge || age < -maxLatencyAge {
			break
		}
		samples = append(samples, uint32(slot))
	}
	return samples
}
