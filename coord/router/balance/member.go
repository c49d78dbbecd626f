// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Member is an instance as the pool is told of it. Target, which is comparable, is what the
// caller needs to reach it.
type Member struct {
	ID          string
	Weight      float64 // relative to the others; below a millionth of the heaviest's it counts as that
	InService   bool    // takes new requests
	Unconfirmed bool    // may be gone: one refused connection is enough
	Zone        string  // where it is, "" when nobody says
	Target      any
}

// Node is what a pool knows about one instance. It lives for as long as the
// instance is a member, whatever else changes.
type Node struct {
	id       string
	number   int // small, and no other member's
	member   atomic.Pointer[Member]
	inFlight atomic.Int64
	begun    atomic.Int64 // when this router last sent it a request, or came to know it
	latency  latency
	failing  failing
	load     load          // as it said last
	capacity capacity      // as the fleet knows it
	probeDue atomic.Int64  // when the next probe may be sent; a probe in flight moves it
	together atomic.Bool   // all callers would probe it now: the first probe is to be put off
	returned atomic.Int64  // when it came, or came back into rotation: the ramp begins; or never
	rampFor  atomic.Int64  // how long that ramp is
	state    atomic.Uint32 // a State; written with pool.mu held
	since    atomic.Int64  // when the state began; written with pool.mu held
	vouched  atomic.Bool   // the fleet speaks against it, this router's own experience for it
	trusted  atomic.Bool   // unconfirmed, but this router reached it
	refusing atomic.Bool   // its last answer was none: the connection was refused
	doubted  atomic.Bool   // what it says of its load is not believed

	mu         sync.Mutex // of what follows; taken after pool.mu, never before
	record     record
	experience experience

	// Guarded by pool.mu.
	verdict  *signal.Verdict // nil when the fleet does not know it
	until    time.Duration   // ejected: when the hold ends
	episode  uint32          // ejections by this router since it was last well for long
	passed   int             // successful probes in a row
	reason   Reason          // why it is in its state
	told     time.Duration   // until when nothing more is said of what would be done
	stands   Figure          // by what it last stood out from the others
	presence bool            // scratch of Update: still a member
}

// ID returns the instance's id.
func (n *Node) ID() string { return n.id }

// Target returns what the caller needs to reach the instance.
func (n *Node) Target() any { return n.member.Load().Target }

// InFlight returns how many requests of this router are in flight there.
func (n *Node) InFlight() int { return int(max(n.inFlight.Load(), 0)) }

// Latency returns what this router's own requests took there, as it counts them now; 0 when
// it knows nothing.
func (n *Node) Latency(now time.Duration) time.Duration { return time.Duration(n.latency.read(now)) }

// Load returns what the instance said last of its load.
func (n *Node) Load() Load {
	l := &n.load
	return Load{
		Report: Report{InFlight: int(l.inFlight.Load()), Latency: time.Duration(l.latency.Load())},
		At:     time.Duration(l.at.Load()), Own: int(l.own.Load()),
	}
}

// Capacity returns what the fleet's signals say it can do.
func (n *Node) Capacity() Capacity { return n.capacity.load() }

// State is where an instance stands.
type State uint32

// The states.
const (
	Active         State = iota
	Probing              // out of rotation but for one probe at a time
	Ejected              // by this router
	EjectedByFleet       // by the fleet's verdict
)

// Reason says why an instance is in its state.
type Reason string

// The reasons.
const (
	None        Reason = ""
	Consecutive Reason = "consecutive_failures"
	Ratio       Reason = "failure_ratio"
	Unreachable Reason = "unconfirmed_refused" // it vanished from discovery, and refused a connection
	Outlier     Reason = "success_rate"        // far below the others'
	Sluggish    Reason = "latency"             // far above the others'
	FailedProbe Reason = "probe_failed"
	ByVerdict   Reason = "fleet_verdict"
	OnProbation Reason = "fleet_probation"
	HoldOver    Reason = "hold_over"
	SwitchedOff Reason = "ejection_off" // it was out, and ejection is no longer to act
	Probed      Reason = "probes_succeeded"
	Succeeded   Reason = "requests_succeeded" // in panic, though it was ejected
)

// never is a time that has not been and will not be.
const never = time.Duration(-1 << 62)
