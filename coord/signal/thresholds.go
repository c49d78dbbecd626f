// SPDX-License-Identifier: Apache-2.0

package signal

import "time"

// The thresholds of a verdict. They are constants, not options: every router
// must come to the same verdict.
const (
	// MinRequests is how many requests evidence needs before it counts, unless
	// the instance is already condemned or on probation, or enough routers ejected it.
	MinRequests = 10

	// Quorum is how many callers must agree when there are that many.
	Quorum = 3

	// BadRatio is the share of a caller's own requests that must fail for the
	// caller to have seen the instance, or the scope, bad.
	BadRatio = 0.5

	// MinWeight is the least weight of an instance in rotation: enough traffic
	// to notice that it recovered.
	MinWeight = 0.1

	// ScopeRequests is MinRequests for a scope. A breaker ends traffic where an ejection
	// moves it, and twenty is what breakers of one process ask for.
	ScopeRequests = 20

	// ProbeRequests is how many requests count against a circuit that is half open. One
	// would be a throw of the dice for a service that fails now and then; five come
	// through while the circuit closes wherever the traffic is enough to open it.
	ProbeRequests = 5
)

const (
	// Ramp is how long a circuit takes from its first probes to all of the traffic.
	Ramp = 10 * time.Second

	// MinShare is the share of the traffic that a circuit admits as it becomes half open.
	MinShare = 0.05
)

// Thresholds are the constants of a verdict as values. A fleet has those of
// [DefaultThresholds]; others answer what would have been with them.
type Thresholds struct {
	BadRatio      float64 // above 0, at most 1
	Quorum        int     // at least 1
	MinRequests   uint64
	ScopeRequests uint64
	ProbeRequests uint64
}

// DefaultThresholds returns the constants.
func DefaultThresholds() Thresholds {
	return Thresholds{
		BadRatio: BadRatio, Quorum: Quorum,
		MinRequests: MinRequests, ScopeRequests: ScopeRequests, ProbeRequests: ProbeRequests,
	}
}
