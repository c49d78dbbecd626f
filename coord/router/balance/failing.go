// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// failureCost is what a failed request costs, in requests: whoever sent it has to send it
	// again, or does without. With it an instance that fails three of ten requests is taken for
	// 2.2 times as slow as it is, which no difference between instances that are alike makes up
	// for, and one that fails one in a hundred for 1.04 times.
	failureCost = 4.0

	// failureStep is the weight of one request in the part that failed.
	failureStep = 0.05

	// failureMemory is the time constant with which it is forgotten.
	failureMemory = 10 * time.Second
)

// failing is the part of an instance's requests that failed lately, by this router's own
// requests alone: what the fleet says is in the instance's weight, which has a floor. A price
// without one would end the traffic of all who are honest on the word of one who lies, and
// leave that one as the only voice. An instance that fails without working has little CPU
// time for each request, few requests in flight and no latency to show for those: to all that
// looks at load it is the best of all. Reads are lock-free; the node's lock serialises
// writers.
type failing struct {
	some  atomic.Bool   // the value is not zero
	value atomic.Uint64 // float64
	at    atomic.Int64
}

func (f *failing) read(now time.Duration) float64 {
	value := math.Float64frombits(f.value.Load())
	idle := now - time.Duration(f.at.Load())
	if value == 0 || idle < failureMemory/1000 {
		return value
	}
	return value * math.Exp(-float64(idle)/float64(failureMemory))
}

// price is what a request costs there, relative to an instance that never fails.
func (f *failing) price(now time.Duration) float64 {
	if !f.some.Load() {
		return 1 // mostly; it is asked for each answer that is compared
	}
	return 1 + failureCost*f.read(now)
}

func (f *failing) observe(now time.Duration, failed bool) {
	if !failed && !f.some.Load() {
		return
	}
	value := f.read(now)
	if failed {
		value += failureStep * (1 - value)
	} else {
		value -= failureStep * value
	}
	if value < failureStep/1000 {
		value = 0
	}
	f.value.Store(math.Float64bits(value))
	f.at.Store(int64(now))
	f.some.Store(value != 0)
}

// reset forgets it.
func (f *failing) reset() {
	f.value.Store(0)
	f.some.Store(false)
}
