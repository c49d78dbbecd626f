// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"maps"
	"time"
)

// The defaults of [Settings].
const (
	// DefaultBase is the hold of a first ejection, Envoy's and gRPC's.
	DefaultBase = 30 * time.Second

	// DefaultPanic is the part of the instances below which ejections are ignored, Envoy's.
	DefaultPanic = 0.5

	// DefaultShare is the greatest part of the instances that the fleet's verdicts, and what
	// stands out from the others, take out of rotation.
	DefaultShare = 0.5

	// DefaultConsecutive is how many failures in a row take an instance out: Finagle's
	// failure accrual, Envoy's outlier detection.
	DefaultConsecutive = 5

	// DefaultRatio of failures among [DefaultRequests] of the last ten seconds does so too.
	DefaultRatio    = 0.5
	DefaultRequests = 10

	// DefaultStdev is how far below the mean of all instances a success rate may be, gRPC's
	// (A50) and Envoy's.
	DefaultStdev = 1.9
)

// Mode is the switch of an automatic act.
type Mode uint8

// The modes.
const (
	Act     Mode = iota
	Observe      // tell what would have been done
	Off
)

// Settings say how a pool works. [Default] has what holds where nothing is said.
type Settings struct {
	// Policy chooses among those in rotation. It serves this pool alone; a pool keeps a
	// policy's state for as long as it is given the same one.
	Policy Policy

	Ejection Ejection

	// Panic is the part of the instances in service below which ejections are ignored.
	Panic float64

	// SlowStart is how long the traffic of an instance that came later than the pool grows
	// to its full part; 0: at once.
	SlowStart time.Duration

	// Zone is where the caller is; "" prefers none. Callers is the part of all callers that
	// are there, 0 when nobody knows: then they are taken to be spread evenly.
	Zone    string
	Callers float64

	// Caller is this caller's own id, which tells its subset and the jitter of its holds from
	// others'. Without one there is neither.
	Caller string

	// Subset is the least number of instances that this caller knows, 0: all. Which ones
	// follows from Caller, and how many from Part, its part of the service's requests.
	Subset int
	Part   float64

	// Variants are the parts of the service that a [Request] can be limited to.
	Variants map[string]func(Member) bool
}

// Ejection says when an instance leaves the rotation.
type Ejection struct {
	Mode        Mode
	Base        time.Duration // of the first hold, which grows by it
	Share       float64       // of the instances that may be out; what this router itself saw fail is bounded by Panic, where that is tighter
	Consecutive int           // failures in a row
	Ratio       float64       // of failures, in ten seconds
	Requests    int           // that the ratio takes
	Stdev       float64       // standard deviations of success rates below the mean; 0: not compared
	Latency     float64       // times the median latency of the others; 0: not compared
}

// Default returns the default settings, with a policy of their own.
func Default() Settings {
	return Settings{
		Policy: NewAdaptive(DefaultAdaptive()),
		Ejection: Ejection{
			Base: DefaultBase, Share: DefaultShare, Consecutive: DefaultConsecutive, Ratio: DefaultRatio, Requests: DefaultRequests,
			Stdev: DefaultStdev,
		},
		Panic: DefaultPanic,
	}
}

// Configure puts other settings in force.
func (p *Pool) Configure(now time.Duration, s Settings) {
	s.Variants = maps.Clone(s.Variants)
	p.mu.Lock()
	p.settings = s
	p.step(now)
	p.unlock()
}

// Force takes instances out of rotation, and those that were and are not named any more
// back: what an operator says goes before all else, panic included.
func (p *Pool) Force(now time.Duration, out map[string]bool) {
	p.mu.Lock()
	p.forced = maps.Clone(out)
	p.step(now)
	p.unlock()
}
