// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Forced is what an operator says of a scope.
type Forced uint8

// The words of an operator.
const (
	NotForced Forced = iota
	ForcedOpen
	ForcedClosed
)

// Rule says who decided.
type Rule uint8

// The rules, in the order in which they decide.
const (
	ByOperator Rule = iota
	ByFleet
	ByProcess
)

// String returns who decided, as events name it.
func (r Rule) String() string {
	switch r {
	case ByOperator:
		return "forced"
	case ByFleet:
		return "fleet"
	case ByProcess:
		return "local"
	}
	return "unknown"
}

// Decision is what holds for the requests to a scope, and why.
type Decision struct {
	Admit   float64 // share of the requests that go, 0 to 1
	Rule    Rule    // that decided
	State   signal.CircuitState
	Route   string // the scope that decided: a route, or "" for the service
	Episode uint32

	// What it follows from. An operator gives no figures; the process itself is one caller.
	Requests, Failures  uint64
	Callers, BadCallers int

	// The thresholds that the figures were held against.
	Ratio       float64
	MinRequests uint64
	Quorum      int
}

// Admits decides about one request, by a number in [0, 1).
func (d *Decision) Admits(random float64) bool { return random < d.Admit }

// String says the decision and its reason in words.
func (d Decision) String() string {
	scope := "the service"
	if d.Route != "" {
		scope = "route " + d.Route
	}
	s := fmt.Sprintf("%s is %s (%s): %.0f %% of the requests go", scope, d.State, d.Rule, 100*d.Admit)
	if d.Rule == ByOperator {
		return s
	}
	return fmt.Sprintf("%s; %d of %d requests failed, %d of %d callers saw it bad (thresholds: %.0f %% of %d requests, %d callers)",
		s, d.Failures, d.Requests, d.BadCallers, d.Callers, 100*d.Ratio, d.MinRequests, d.Quorum)
}

// Breaker decides for one scope.
type Breaker struct {
	route string
	local *Local

	ramping atomic.Bool // began is of the ramp that is going on
	mu      sync.Mutex
	began   time.Duration
	episode uint32
}

// New returns the breaker of a route, or with "" of a whole service.
func New(route string, s Settings) *Breaker { return &Breaker{route: route, local: NewLocal(s)} }

// Record takes in how an attempt ended; see [Local.Record].
func (b *Breaker) Record(now time.Duration, o Outcome, random float64) {
	b.local.Record(now, o, random)
}

// Of returns what the fleet says of a scope, nil when it says nothing: because signals are
// away, no collector writes, or the route is beyond what they count. A router keeps it for as
// long as it has the fleet.
func Of(fleet *signal.Fleet, route string) *signal.Circuit {
	if fleet == nil {
		return nil
	}
	if s := fleet.Scopes[route]; s != nil {
		return &s.Circuit
	}
	return nil
}

// Share returns the share of the requests that go, 0 to 1: what a request asks. Fleet is
// what [Of] returned.
func (b *Breaker) Share(now time.Duration, forced Forced, fleet *signal.Circuit) float64 {
	switch {
	case forced == ForcedOpen:
		return 0
	case forced == ForcedClosed:
		return 1
	case fleet == nil:
		return b.local.Share(now)
	case fleet.State == signal.HalfOpen:
		return fleet.Share(b.sinceWritten(now, fleet))
	}
	if b.ramping.Load() {
		b.ramping.Store(false)
	}
	return fleet.Share(0)
}

// Decide returns what holds now, and why: what an event tells, and who is refused.
func (b *Breaker) Decide(now time.Duration, forced Forced, fleet *signal.Circuit) Decision {
	switch {
	case forced == ForcedOpen:
		return Decision{Rule: ByOperator, State: signal.Open, Route: b.route}
	case forced == ForcedClosed:
		return Decision{Admit: 1, Rule: ByOperator, Route: b.route}
	case fleet != nil:
		return Decision{
			Admit: b.Share(now, forced, fleet), Rule: ByFleet, State: fleet.State, Route: b.route, Episode: fleet.Episode,
			Requests: fleet.Requests, Failures: fleet.Failures, Callers: fleet.Callers, BadCallers: fleet.BadCallers,
			Ratio: fleet.Thresholds.BadRatio, MinRequests: fleet.Thresholds.ScopeRequests, Quorum: fleet.Thresholds.Quorum,
		}
	}
	return b.byProcess(now)
}

// sinceWritten returns how long ago the ramp was as old as the share says. Shares of several
// collectors, and later ones of the same, place its beginning a little apart; the earliest
// is the nearest to the truth, for all are late by the time that they were under way. So a
// ramp never goes back.
func (b *Breaker) sinceWritten(now time.Duration, c *signal.Circuit) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if began := now - c.Age; !b.ramping.Load() || b.episode != c.Episode || began < b.began {
		b.began, b.episode = began, c.Episode
		b.ramping.Store(true)
	}
	return now - b.began - c.Age
}

func (b *Breaker) byProcess(now time.Duration) Decision {
	s := &b.local.settings
	d := Decision{Admit: 1, Rule: ByProcess, Route: b.route, Callers: 1, Ratio: s.Ratio, MinRequests: s.Requests, Quorum: 1}
	t := b.local.trip.Load()
	if t == nil {
		return d
	}
	d.Admit, d.State = t.share(now), signal.HalfOpen
	if now < t.until {
		d.State = signal.Open
	}
	d.Episode, d.Requests, d.Failures, d.BadCallers = t.episode, t.requests, t.failures, 1
	return d
}
