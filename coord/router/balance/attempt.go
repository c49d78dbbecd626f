// SPDX-License-Identifier: Apache-2.0

package balance

import "time"

// Outcome is how an attempt ended.
type Outcome uint8

// The outcomes.
const (
	OK Outcome = iota
	Error
	Timeout
	Refused
	Cancelled // by the caller: says nothing of the instance
	Outlasted // another attempt of the same request was answered first
	Outcomes  // how many there are
)

// Failed reports whether the outcome speaks against the instance.
func (o Outcome) Failed() bool { return o == Error || o == Timeout || o == Refused }

// Speed says what the duration of an attempt tells of the instance.
type Speed uint8

// The speeds.
const (
	Measured  Speed = iota // it served a request
	AtLeast                // it declined: it is no faster than that
	Unrelated              // a stream, which lasts for as long as the caller wants
)

// Attempt is one request on its way.
type Attempt struct {
	pool  *Pool
	node  *Node
	start time.Duration
	probe bool
	heard Observer // the policy that chose, nil when it does not care
}

// Node returns the instance that was chosen.
func (a Attempt) Node() *Node { return a.node }

// Probe reports whether the request is there to find out about the instance.
func (a Attempt) Probe() bool { return a.probe }

// Start returns when the instance was chosen.
func (a Attempt) Start() time.Duration { return a.start }

// Says tells what the instance said of its load with its answer, before [Attempt.Done].
func (a Attempt) Says(now time.Duration, r Report) {
	a.node.load.hear(now, r.bounded(), a.node.inFlight.Load()-1)
}

// Done says how the attempt ended, and when the instance got it: the start, or later
// when a connection had to be made first, which says little of how fast it serves. It
// must be called once.
func (a Attempt) Done(sent, now time.Duration, outcome Outcome, speed Speed) {
	n := a.node
	n.inFlight.Add(-1)
	if a.heard != nil {
		a.heard.Ended(n, now, now-max(sent, a.start), outcome, speed)
	}
	if outcome == Outlasted {
		// The caller had its answer from elsewhere: how long this one would have taken nobody
		// knows, but that it takes longer than that.
		n.mu.Lock()
		n.latency.observe(now, now-max(sent, a.start), false, true)
		n.experience.add(now, now-max(sent, a.start), false)
		n.mu.Unlock()
	}
	if outcome == Cancelled || outcome == Outlasted {
		if a.probe {
			a.pool.probeAgain(n, now)
		}
		return
	}
	failed := outcome.Failed()
	// What began before the state did belongs to what led to the state.
	current := a.start >= time.Duration(n.since.Load())
	var reason Reason
	vouches := false
	took := now - max(sent, a.start)
	timed := took
	if speed != Measured {
		timed = 0
	}

	n.mu.Lock()
	if speed != Unrelated {
		n.latency.observe(now, took, failed, speed == AtLeast)
		n.experience.add(now, took, failed)
	}
	if current {
		n.failing.observe(now, failed)
		n.record.add(now, timed, failed)
		if failed {
			reason = n.record.condemns(now, a.pool.table.Load().ejection)
		} else if State(n.state.Load()) > Probing {
			vouches = n.record.vouches(now)
		}
	}
	n.mu.Unlock()

	if !current {
		return
	}
	n.refusing.Store(outcome == Refused) // before the state changes: gone reads it then
	unconfirmed := n.member.Load().Unconfirmed
	switch {
	case unconfirmed && !failed && !n.trusted.Load():
		n.trusted.Store(true)
	case unconfirmed && outcome == Refused && !n.trusted.Load():
		reason = Unreachable
	}
	switch state := State(n.state.Load()); {
	case state == Probing:
		a.pool.probed(n, a.start, now, failed)
	case state == Active && (reason != None || failed && n.vouched.Load()):
		a.pool.failed(n, a.start, now, reason)
	case vouches:
		a.pool.succeeded(n, a.start, now)
	}
}
