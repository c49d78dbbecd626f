// SPDX-License-Identifier: Apache-2.0

package signal

import "time"

// Limits of one share. A writer keeps to them, a reader refuses what breaks
// them.
const (
	MaxShareBytes     = 64 << 10 // an encoded share
	MaxShareInstances = 64       // instances in one share
	MaxCallers        = 32       // callers kept for an instance, or a scope: those with the smallest hashes
	MaxScopes         = 17       // scopes of a service: 16 routes, and the service itself
)

// Share is what one collector knows about some instances of one service. One
// share is one value in etcd, written and read as a whole.
type Share struct {
	Service   string
	Collector string // id of the collector process that wrote it
	Shard     uint32 // this share holds the instances with ShardOf(id, Shards) == Shard
	Shards    uint32 // power of two
	Instances []Instance

	// Scopes are the service as a whole and the routes of its routing document, in
	// ascending order of Route. They are in the share of shard 0.
	Scopes []Scope
}

// Instance is what one collector knows about one instance.
type Instance struct {
	ID      string
	Variant string
	Zone    string

	Windows  []Window // the last 1, 10 and 60 s, in that order; empty ones left out
	Evidence Evidence
	Latch    Latch

	// ServiceDemand is the CPU time that a request costs the instance, and
	// Parallelism how many requests it serves at once before they queue. Zero
	// when the instance does not report its CPU time.
	ServiceDemand time.Duration
	Parallelism   float64
}

// Scope is what one collector knows about a service as a whole, or about one route of
// it: what a breaker follows from, as an ejection does from an [Instance].
type Scope struct {
	Route string // name in the routing document; "" is the whole service

	Windows  []Window // as an instance's, without Latency
	Evidence Evidence // over the shortest of the last 1 to 10 s that holds [ScopeRequests] of the callers kept
	Latch    Latch    // its Hold on probation is the time over which traffic comes back

	// Condemned is the evidence that led to a latch in state [Probation]: who had reason to
	// open the circuit, while the Evidence beside it is fresh.
	Condemned Evidence
}

// Window counts the attempts of the last Seconds.
type Window struct {
	Seconds  uint32
	Requests uint64 // attempts that say something of the instance: cancelled ones do not count
	Errors   uint64 // answered with a server error
	Timeouts uint64 // the caller's deadline passed
	Refused  uint64 // no connection

	// Busy is the time that all attempts together took, in seconds. Divided by
	// Seconds it is the mean number in flight (Little's law).
	Busy float64

	// Latency holds the successful attempts only: an instance that fails fast
	// must not look fast.
	Latency Histogram
}

// Failures returns the attempts that failed, of any class.
func (w *Window) Failures() uint64 { return w.Errors + w.Timeouts + w.Refused }

// Evidence is what the callers of an instance saw, over the shortest of the
// last 1 to 10 s that holds [MinRequests] requests, or over the last 10 s when
// none does (of a scope: see [Scope]), and what callers said last that were not heard in
// that time, but a moment before. Callers holds those with the [MaxCallers]
// smallest hashes: a uniform sample of all, which stays one when shares merge.
type Evidence struct {
	Seconds  uint32
	Requests uint64 // of all callers
	Failures uint64
	Callers  []Caller // in ascending order of Hash
}

// Caller is one authenticated principal's experience of one instance.
type Caller struct {
	Hash     uint64 // HashCaller of the principal
	Requests uint64
	Failures uint64

	// Ejected says that a router of this caller took the instance out of its
	// rotation within the window. The failures that made it do so may be too
	// few to show in the counts, because the traffic ended with them.
	Ejected bool
}

// SawBad reports whether the caller's own experience speaks against the
// instance.
func (c Caller) SawBad() bool {
	return c.sawBad(BadRatio)
}

func (c Caller) sawBad(ratio float64) bool {
	return c.Ejected || c.Requests > 0 && float64(c.Failures) >= ratio*float64(c.Requests)
}

// State is what follows from the evidence on an instance.
type State uint8

// The states, from the best known to the least.
const (
	Good      State = iota // in rotation
	Bad                    // out of rotation: the evidence stands, or is latched
	Probation              // the latch ended: routers probe before they trust
)

// String returns the state in lower case.
func (s State) String() string {
	switch s {
	case Good:
		return "good"
	case Bad:
		return "bad"
	case Probation:
		return "probation"
	}
	return "unknown"
}

// Latch keeps evidence against an instance after its traffic has ended, so that
// a reader that comes later learns of it too. In state Bad the Evidence beside it is
// the evidence that condemned the instance; in state Probation it is fresh.
type Latch struct {
	State   State
	Episode uint32        // how many times in a row the instance was found bad; 0 in state Good
	Age     time.Duration // since the state began, when the share was written
	Hold    time.Duration // how long the state lasts when nothing new is learnt
}
