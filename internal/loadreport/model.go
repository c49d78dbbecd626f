// SPDX-License-Identifier: Apache-2.0

package loadreport

import "math"

const (
	demandDecay = 0.95 // a second, of CPU time and completions
	growth      = 1.02 // a second, of a parallelism that nothing contradicts

	// A server queues when so many times more requests are in flight than it uses CPU for,
	// and at least two.
	saturated   = 1.05
	minInFlight = 2.0

	overAllocation = 3.0  // how far the parallelism may exceed the allocation
	minParallelism = 0.01 // so that it is never taken for "not told"
	minCompletions = 10   // that the demand is an average of

	// memory is the time constant, in seconds, of the rates and of what the parallelism is
	// seen by.
	memory = 1.0
)

// interval is what happened between two looks, in seconds and requests.
type interval struct {
	seconds    float64
	cpu        float64 // used by the process; 0: not known
	inRequests float64
	completed  float64
	failed     float64
}

func (i *interval) add(o interval, keep float64) {
	i.seconds = i.seconds*keep + o.seconds
	i.cpu = i.cpu*keep + o.cpu
	i.inRequests = i.inRequests*keep + o.inRequests
	i.completed = i.completed*keep + o.completed
	i.failed = i.failed*keep + o.failed
}

// model is what a server makes of its own figures, by the operational laws of queueing as
// the fleet's signals have them: see docs/signals.md. Service demand is CPU time over
// completions, over about 20 s. Parallelism is the CPU in use while more requests are in
// flight than that, and grows slowly from the allocation while they are not. It is the
// same arithmetic over another time, because a server looks at itself whenever it is asked;
// only what the process uses for itself is not left out of the demand.
type model struct {
	recent      interval // decays within about a second
	long        interval // decays by 5 % a second
	demand      float64
	parallelism float64
}

func (m *model) add(i interval, allocation float64) {
	m.recent.add(i, math.Exp(-i.seconds/memory))
	m.long.add(i, math.Pow(demandDecay, i.seconds))
	if m.long.cpu == 0 {
		return // not known
	}
	if m.long.completed >= minCompletions {
		m.demand = m.long.cpu / m.long.completed
	}
	busy, inFlight := m.recent.cpu/m.recent.seconds, m.recent.inRequests/m.recent.seconds
	switch {
	case inFlight > saturated*busy && inFlight > minInFlight:
		m.parallelism = busy
	case m.parallelism == 0:
		m.parallelism = max(busy, allocation)
	default:
		m.parallelism = max(busy, m.parallelism*math.Pow(growth, i.seconds))
	}
	m.parallelism = max(min(m.parallelism, overAllocation*allocation), minParallelism)
}
