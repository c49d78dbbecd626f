// SPDX-License-Identifier: Apache-2.0

package acts

import (
	"slices"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
)

// Act is something that a router did by itself, and why.
type Act struct {
	ID    string    // of the event that tells of it, unique in its process
	At    time.Time // by the clock of the process that acted
	Event string    // name of that event, as otelplat.route.eject

	// Observed says that it was not done: it would have been, were the switch not at
	// observe. Then Event is that of what would have been done.
	Observed bool

	Service  string // that the requests are for
	Instance string // that was taken out or is back; "" where it is about the service or a route
	Variant  string // of the instance
	Zone     string // of the instance
	Route    string // whose breaker it is, "" for the service's

	Rule    string   // that decided: consecutive_failures, fleet_verdict, …; of a breaker fleet, local or forced
	Why     string   // all of it in words; breakers have it
	Figures []Figure // that decided, in the order of the rule

	// Callers are those that were counted, BadCallers how many of them saw it bad: 0 and 0
	// where a router decided by its own experience.
	Callers, BadCallers int

	Hold    time.Duration // until the instance is probed, 0 where the fleet decides when
	Episode int           // how often it was taken out, or opened, since it was last well for long

	// Of an act upon instances: how many are in service, and how many are left in rotation.
	Instances, Rotation int

	// Effect is nil while it is not known.
	Effect *Effect
}

// Figure is a number that decided something, and what it was held against.
type Figure struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Threshold float64 `json:"threshold"`
}

// Effect is what an act came to, as the process that acted saw the service: in the ten
// seconds before it and in the ten after.
type Effect struct {
	ErrorsBefore, ErrorsAfter     float64       // part of the attempts that failed, 0 to 1
	P99Before, P99After           time.Duration // of the attempts that did not fail, 0 without any
	RequestsBefore, RequestsAfter uint64        // attempts that the figures are of
}

// breaker reports whether the act is a breaker's.
func (a *Act) breaker() bool {
	switch a.Event {
	case semconv.EventRouteOpen, semconv.EventRouteHalfOpen, semconv.EventRouteClose:
		return true
	}
	return false
}

// known are the events that tell of an act.
var known = []string{
	semconv.EventRouteEject, semconv.EventRouteReadmit, semconv.EventRoutePanic,
	semconv.EventRouteOpen, semconv.EventRouteHalfOpen, semconv.EventRouteClose,
}

// Events returns the names of the events that tell of acts and their effects: those to ask a
// store for.
func Events() []string {
	return append(slices.Clone(known), semconv.EventRouteWould, semconv.EventRouteEffect)
}
