// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"sync/atomic"
	"time"
)

// tally is how many requests are in flight, and what the time is that all requests
// together have been in flight, in one word: so that both change in one atomic addition,
// and whoever reads them sees a pair that belongs together.
//
// The low 20 bits are the count n. The other 44 are the sum S, in microseconds and modulo
// 2^44, of the times at which requests ended less the times at which requests began. The
// time in requests up to now is S + n × now: of each that ended, end − begin; of each in
// flight, now − begin.
//
// More than 2^20 in flight are miscounted until there are fewer: the addition is linear,
// nothing is lost for good.
type tally struct{ word atomic.Uint64 }

const (
	countBits = 20
	sumBits   = 64 - countBits
)

// begin counts a request, and returns how many there were.
func (t *tally) begin(now time.Duration) int {
	return int((t.word.Add(1-uint64(now.Microseconds())<<countBits) - 1) & (1<<countBits - 1))
}

func (t *tally) end(now time.Duration) {
	t.word.Add(uint64(now.Microseconds())<<countBits - 1)
}

func (t *tally) inFlight() int { return int(t.word.Load() & (1<<countBits - 1)) }

// inRequests returns the time in requests up to now, modulo 2^44 µs: half a year of one
// request. See since.
func (t *tally) inRequests(now time.Duration) uint64 {
	word := t.word.Load()
	return (word>>countBits + word&(1<<countBits-1)*uint64(now.Microseconds())) & (1<<sumBits - 1)
}

// since returns the time from one reading of inRequests to the next, which is slightly
// negative when a request began or ended between the clock's reading and the word's.
func since(then, now uint64) time.Duration {
	return time.Duration(int64((now-then)<<countBits)>>countBits) * time.Microsecond
}
