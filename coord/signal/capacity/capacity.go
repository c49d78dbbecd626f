// SPDX-License-Identifier: Apache-2.0

// Package capacity estimates what an instance can do, by the operational laws of
// queueing, from plain telemetry: its CPU time, the requests that it completed, and
// how many it had in flight.
//
//   - Service demand S is CPU time over completions, both decayed by 5 % a second. What the
//     process uses for itself, whether requests come or not, is left out: see [ownUse].
//   - Effective parallelism C is how much CPU the instance gets when it wants more. An
//     instance is saturated when more requests are in flight than it uses CPU for, which
//     is when they queue: then C is what it used. Otherwise C is at least what it used,
//     and grows by 2 % a second, at most to three times its allocation, because nothing
//     contradicts it.
//
// With them a router predicts the latency at R requests in flight: S × max(1, (R+1)/C).
//
// The model holds for services that compute. One that waits (for a database, say) has
// requests in flight that use no CPU, and is taken to be saturated at what it uses; S is
// then its CPU demand, without the wait.
//
// Time is a parameter; there is no clock and no goroutine. A [Model] is not safe for concurrent
// use. The collector has one for each instance (docs/signals.md); whoever simulates a fleet has
// too.
package capacity

import (
	"math"
	"time"
)

const (
	decay  = 0.95 // a second, of CPU time and completions
	growth = 1.02 // a second, of a parallelism that nothing contradicts

	// An instance queues when so many times more requests are in flight than it uses CPU
	// for, and at least two.
	saturated   = 1.05
	minInFlight = 2.0

	overAllocation = 3.0  // how far the parallelism may exceed the allocation
	minParallelism = 0.01 // so that it is never taken for "not reported"

	// MaxCPUs bounds what a report may claim to have used or to be allotted.
	MaxCPUs = 4096

	// maxOwnUse bounds, in cores, what is taken for the process's own.
	maxOwnUse = 0.1

	// minReports is how many reports a line is drawn through, at least.
	minReports = 10

	// leastOfUse is the part of the CPU time that requests are taken to cost at least, so that
	// a service demand is never nothing.
	leastOfUse = 0.05

	// ownDecay is how much of the evidence of that is left after a second: it changes little,
	// and takes a minute to see.
	ownDecay = 0.99

	// minCompletions is how many requests S is an average of, at least.
	minCompletions = 10
)

// Report is what an instance says of itself, over a time that it measured with its own
// clock. CPU time and requests may come in separate reports.
type Report struct {
	Completions uint64
	InRequests  float64 // seconds that its requests took together, as it saw them
	Timed       bool    // InRequests is known

	CPU    float64 // seconds
	Covers float64 // seconds that CPU is about; 0: the report has no CPU time

	// InFlight is the mean number of requests in flight as the callers saw it; it counts
	// where the instance does not time its requests itself, because it holds the time on
	// the network too.
	InFlight float64

	Allocation float64 // CPUs; 0: not known
}

// Model is the estimate for one instance. The zero value is ready.
type Model struct {
	last             time.Duration // of the newest report
	covers           time.Duration // of the newest report with CPU time
	cpu, completions float64       // decayed
	covered          float64       // seconds that the CPU time is of, decayed
	own              ownUse
	since            uint64  // completions since the last report of CPU time
	inRequests       float64 // since the last report of CPU time
	timed            bool
	allocation       float64
	busiest          float64
	demand           float64
	parallelism      float64
}

// Add takes in a report that came at now.
func (m *Model) Add(now time.Duration, r Report) {
	if passed := (now - m.last).Seconds(); passed > 0 && m.last != 0 {
		f := math.Pow(decay, passed)
		m.cpu *= f
		m.completions *= f
		m.covered *= f
	}
	m.last = now
	m.cpu += r.CPU
	m.covered += r.Covers
	m.completions += float64(r.Completions)
	m.since += r.Completions
	m.inRequests += r.InRequests
	m.timed = m.timed || r.Timed
	if r.Allocation > 0 {
		m.allocation = min(r.Allocation, MaxCPUs)
	}
	if r.Covers <= 0 {
		return
	}
	inFlight := r.InFlight
	if m.timed {
		inFlight = m.inRequests / r.Covers
	}
	m.inRequests, m.timed = 0, false
	m.covers = time.Duration(r.Covers * float64(time.Second))
	m.step(r.CPU/r.Covers, inFlight, r.Covers)
	m.own.add(r.Covers, float64(m.since), r.CPU)
	m.since = 0
	if m.completions >= minCompletions {
		m.demand = max(m.cpu-m.own.cores()*m.covered, leastOfUse*m.cpu) / m.completions
	}
}

// step moves the parallelism on by the seconds that a report covers.
func (m *Model) step(busy, inFlight, covers float64) {
	m.busiest = max(m.busiest, busy)
	allocation := m.allocation
	if allocation == 0 {
		allocation = max(1, m.busiest)
	}
	switch {
	case inFlight > saturated*busy && inFlight > minInFlight:
		m.parallelism = busy
	case m.parallelism == 0:
		m.parallelism = max(busy, allocation)
	default:
		m.parallelism = max(busy, m.parallelism*math.Pow(growth, covers))
	}
	m.parallelism = max(min(m.parallelism, overAllocation*allocation), minParallelism)
}

// Demand returns the CPU time that a request costs, and of how many requests that is the
// average; 0 when the instance does not report, or too little, or no longer.
func (m *Model) Demand(now time.Duration) (demand time.Duration, of float64) {
	if m.stale(now) {
		return 0, 0
	}
	return time.Duration(m.demand * float64(time.Second)), m.completions
}

// Parallelism returns how many requests the instance serves at once before they queue; 0
// when it does not report its CPU time, or no longer.
func (m *Model) Parallelism(now time.Duration) float64 {
	if m.stale(now) || m.demand == 0 {
		return 0
	}
	return m.parallelism
}

// stale reports whether three reports did not come, or none in 15 s.
func (m *Model) stale(now time.Duration) bool {
	return m.covers == 0 || now-m.last > max(15*time.Second, 3*m.covers)
}
