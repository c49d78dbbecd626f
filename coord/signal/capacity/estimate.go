// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"math"
	"time"
)

// The least change of an estimate that is worth telling those who route by it.
const (
	// parallelismMatters is a factor. A parallelism that grows because nothing contradicts
	// it is told every 20 s at most; where it is measured it falls at once.
	parallelismMatters = 1.5

	demandMatters = 0.2 // relative
	beyondNoise   = 3.0 // standard deviations
)

// Estimate is what a [Model] says of its instance. The zero value is: nothing.
type Estimate struct {
	Demand      time.Duration
	Of          float64 // requests, of which the demand is the average
	Parallelism float64
}

// Estimate returns what the model says now.
func (m *Model) Estimate(now time.Duration) Estimate {
	e := Estimate{Parallelism: m.Parallelism(now)}
	e.Demand, e.Of = m.Demand(now)
	return e
}

// Moved reports whether a later estimate differs by more than noise, and by enough to
// matter. A request's cost is taken to scatter as widely as its mean, which is where the
// noise comes from.
func (e Estimate) Moved(now Estimate) bool {
	if (e.Demand == 0) != (now.Demand == 0) || (e.Parallelism == 0) != (now.Parallelism == 0) {
		return true
	}
	if hi, lo := max(e.Parallelism, now.Parallelism), min(e.Parallelism, now.Parallelism); hi >= parallelismMatters*lo && hi > 0 {
		return true
	}
	larger := max(e.Demand, now.Demand).Seconds()
	deviation := larger * math.Sqrt(1/max(e.Of, 1)+1/max(now.Of, 1))
	difference := (e.Demand - now.Demand).Abs().Seconds()
	return difference > demandMatters*larger && difference > beyondNoise*deviation
}
