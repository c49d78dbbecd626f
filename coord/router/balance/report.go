// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// Report is what an instance says of its own load, to a probe or with an answer.
type Report struct {
	InFlight int           // requests there now, the answered one not counted
	Latency  time.Duration // of requests that came at about that load; 0: not known
}

// mostInFlight bounds what an instance may claim, so that nothing overflows.
const mostInFlight = 1 << 30

// bounded returns the report without what cannot be: who says that it is less than idle is
// idle.
func (r Report) bounded() Report {
	return Report{min(max(r.InFlight, 0), mostInFlight), max(r.Latency, 0)}
}

// Load is what an instance said last of its load, to this router.
type Load struct {
	Report
	At time.Duration // when it was heard; or never: see Known

	// Own is how many requests of this router were in flight there, by then.
	Own int
}

// Known reports whether the instance ever said anything.
func (l Load) Known() bool { return l.At != never }

// load keeps what was heard last. A reader that comes between two writes mixes two reports
// of the same instance, which is harmless.
type load struct {
	at       atomic.Int64
	inFlight atomic.Int64
	latency  atomic.Int64
	own      atomic.Int64
}

func (l *load) hear(now time.Duration, r Report, own int64) {
	l.inFlight.Store(int64(r.InFlight))
	l.latency.Store(int64(r.Latency))
	l.own.Store(own)
	l.at.Store(int64(now))
}

// Capacity is what the fleet's signals say an instance can do.
type Capacity struct {
	Demand      time.Duration // CPU time of a request
	Parallelism float64       // requests that it serves at once before they queue
}

// Known reports whether the instance reports its CPU time.
func (c Capacity) Known() bool { return c.Demand > 0 && c.Parallelism > 0 }

// Latency predicts how long one more request takes beside so many in flight. All of them
// share the instance's parallelism: S × max(1, (R + 1) / C).
func (c Capacity) Latency(inFlight float64) float64 {
	return float64(c.Demand) * max(1, (inFlight+1)/c.Parallelism)
}

// capacity holds a Capacity for lock-free readers. One that comes between two writes mixes two
// that are known of the same instance, which is harmless.
type capacity struct {
	demand      atomic.Int64
	parallelism atomic.Uint64
	slope       atomic.Uint64 // demand / parallelism, so that who compares many does not divide
}

func (c *capacity) store(v Capacity) {
	if !v.Known() {
		v = Capacity{}
	} else {
		c.slope.Store(math.Float64bits(float64(v.Demand) / v.Parallelism))
		c.parallelism.Store(math.Float64bits(v.Parallelism))
	}
	c.demand.Store(int64(v.Demand))
}

func (c *capacity) load() Capacity {
	demand := time.Duration(c.demand.Load())
	if demand == 0 {
		return Capacity{}
	}
	return Capacity{demand, math.Float64frombits(c.parallelism.Load())}
}

// line returns what [Capacity.Latency] is made of: what a request takes where nobody waits, and
// what each in flight adds where somebody does. The first is 0 when the capacity is not known.
func (c *capacity) line() (idle, slope float64) {
	return float64(c.demand.Load()), math.Float64frombits(c.slope.Load())
}
