// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math/rand/v2"
	"time"
)

// Policy is how one client chooses. The simulation calls its methods one at a time.
type Policy interface {
	// Choose returns the replica for a request, and a token that comes back with its end.
	Choose(now time.Duration) (replica int, token any)

	// Done tells how a request ended, and what the replica said of itself with the answer.
	// An error has a report too, but a request that passed its deadline.
	Done(now time.Duration, o Outcome)

	// Probes calls ask for each replica whose load the client wants to know now, after a
	// request was chosen for.
	Probes(now time.Duration, ask func(replica int))

	// Probed tells what a replica answered.
	Probed(now time.Duration, r Report)
}

// Outcome is the end of a request as its client saw it.
type Outcome struct {
	Token   any
	Replica int
	Latency time.Duration
	Failed  bool // an error, or the deadline
	Late    bool // the deadline
	Report  Report
}

// Report is what a replica says of its load.
type Report struct {
	Replica  int
	InFlight int // now; on an answer without the request that it answers
	Arrival  int // when the request came that it answers
	Latency  time.Duration
}

// Fleet is what the fleet's signals say of a replica, over the last period.
type Fleet struct {
	Seconds     float64
	CPU         float64 // core seconds
	InRequests  float64 // seconds
	Completions uint64
	Failures    uint64
	Allocation  float64
	Callers     []Caller
}

// Caller is what one client saw of a replica in the period.
type Caller struct {
	Client             int
	Requests, Failures uint64
}

// Family makes the policies of all clients, which may share what the fleet knows.
type Family interface {
	// Client returns the policy of a client.
	Client(id int, random *rand.Rand, truth *Truth) Policy

	// Publish brings the fleet's signals to the clients.
	Publish(now time.Duration, replicas []Fleet)
}

// Truth is what only an oracle can see.
type Truth struct{ replicas []*replica }

// Len returns how many replicas there are.
func (t *Truth) Len() int { return len(t.replicas) }

// Rate returns how fast one more request would advance at a replica, requests that are on
// their way to it not counted.
func (t *Truth) Rate(replica int) float64 {
	r := t.replicas[replica]
	return r.speed * min(1, r.cores/float64(r.inFlight+1))
}
