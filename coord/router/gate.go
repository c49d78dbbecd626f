// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/internal/breaker"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
)

// ErrOpen is what an [*OpenError] is.
var ErrOpen = errors.New("router: the breaker is open")

// OpenError says that a breaker did not let a request through. Nothing was sent.
type OpenError struct {
	Service string
	Route   string              // whose breaker it is, "" for the service's
	Rule    string              // who decided: "forced" (an operator), "fleet" or "local" (this process)
	State   signal.CircuitState // open, or half open: then others got through
	Why     string              // the figures against the thresholds
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("router: the breaker of %q is %s: %s", e.Service, e.State, e.Why)
}

// Is makes the error match [ErrOpen].
func (e *OpenError) Is(target error) bool { return target == ErrOpen }

// gates are the breakers of a service: one for the whole, under "", and one for each route
// that took a request.
type gates struct {
	byRoute atomic.Pointer[map[string]*gate] // copied on write, with mu held
	mu      sync.Mutex
}

// gate is one breaker with what it is to be asked with.
type gate struct {
	breaker  *breaker.Breaker
	settings rules.Breaker
	fleet    atomic.Pointer[signal.Circuit] // nil when the fleet says nothing
	forced   atomic.Uint32                  // a breaker.Forced

	told signal.CircuitState // by events; by whoever holds the gates' mu
}

func (g *gate) share(now time.Duration) float64 {
	return g.breaker.Share(now, breaker.Forced(g.forced.Load()), g.fleet.Load()) //nolint:gosec // one of three
}

// acts reports whether the breaker keeps anybody out: its switch is on, or an operator has
// spoken, who goes before the switch of what is automatic.
func (g *gate) acts() bool {
	return g.settings.Mode == rules.Act || breaker.Forced(g.forced.Load()) != breaker.NotForced //nolint:gosec // one of three
}

func (g *gate) decide(now time.Duration) breaker.Decision {
	return g.breaker.Decide(now, breaker.Forced(g.forced.Load()), g.fleet.Load()) //nolint:gosec // one of three
}

// of returns the gate of a route, nil when it has none yet.
func (g *gates) of(route string) *gate {
	if all := g.byRoute.Load(); all != nil {
		return (*all)[route]
	}
	return nil
}

// gate returns the gate of a route, made when it is asked for first. Routes are named by the
// document, whose number is bounded.
func (s *service) gate(route string) *gate {
	if g := s.gates.of(route); g != nil {
		return g
	}
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	if g := s.gates.of(route); g != nil {
		return g
	}
	g := s.newGate(route, breakerOf(s.table.Load(), route))
	next := map[string]*gate{route: g}
	if all := s.gates.byRoute.Load(); all != nil {
		maps.Copy(next, *all)
		next[route] = g
	}
	s.gates.byRoute.Store(&next)
	return g
}

// newGate returns a closed gate that knows what the fleet and the operators say. The gates
// are locked.
func (s *service) newGate(route string, b rules.Breaker) *gate {
	g := &gate{settings: b, breaker: breaker.New(route, breaker.Settings{
		Ratio: b.Ratio, Requests: uint64(max(b.Requests, 0)), Base: s.router.base, //nolint:gosec // not negative
	})}
	s.informLocked(route, g)
	return g
}

// breakerOf returns what a document says of the breaker of a route, or of the service.
func breakerOf(t *rules.Table, route string) rules.Breaker {
	if settings := t.RouteSettings(route); settings != nil {
		return settings.Breaker
	}
	return t.Settings().Breaker
}

// resetGates gives up what gates know that another document has no use for: their thresholds
// differ, or their route is gone. What was told of a gate stays known, so that its end is told
// too. The others keep what they know.
func (s *service) resetGates(t *rules.Table) {
	g := &s.gates
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.byRoute.Load()
	if all == nil {
		return
	}
	next := make(map[string]*gate, len(*all))
	for route, old := range *all {
		b := breakerOf(t, route)
		switch {
		case route != "" && t.RouteSettings(route) == nil:
		case b == old.settings:
			next[route] = old
		default:
			next[route] = s.newGate(route, b)
			next[route].told = old.told
		}
	}
	g.byRoute.Store(&next)
}

// informLocked tells a gate what the fleet and the operators say. The gates are locked.
func (s *service) informLocked(route string, g *gate) {
	var circuit *signal.Circuit
	if fleet := s.currentFleet(); fleet != nil {
		circuit = breaker.Of(fleet, route)
	}
	if old := g.fleet.Load(); old == nil || circuit == nil || *old != *circuit {
		g.fleet.Store(circuit)
	}
	word := breaker.NotForced
	if s.forced != nil {
		if o := s.forced.Current().Breaker(route); o != nil && o.Route == route {
			word = breaker.ForcedClosed
			if o.State == override.Open {
				word = breaker.ForcedOpen
			}
		}
	}
	g.forced.Store(uint32(word))
}

// admit refuses a request where its breaker, or its service's, does not let it through.
func (s *service) admit(now time.Duration, route string) error {
	g, share := s.gate(""), 1.0
	if g.acts() {
		share = g.share(now)
	}
	if route != "" {
		// One draw by the tighter of the two: both come back at the same time when one route
		// has all of the traffic, and two draws would let a part of a part through.
		if own := s.gate(route); own.acts() {
			if of := own.share(now); of < share {
				g, share = own, of
			}
		}
	}
	if share >= 1 || rand.Float64() < share {
		return nil
	}
	d := g.decide(now)
	s.router.tel.refused.Add(context.Background(), 1, s.refusedAttrs(d.Route))
	return &OpenError{Service: s.name, Route: d.Route, Rule: d.Rule.String(), State: d.State, Why: d.String()}
}

// open reports whether nothing should be sent a second time.
func (s *service) open(now time.Duration, route string) bool {
	for _, r := range [...]string{"", route} {
		if g := s.gates.of(r); g != nil && g.acts() && g.share(now) < 1 {
			return true
		}
	}
	return false
}

// ended takes in how an attempt ended.
func (g *gates) ended(route string, now time.Duration, outcome balance.Outcome) {
	o := breaker.Success
	switch {
	case outcome == balance.Cancelled, outcome == balance.Outlasted:
		o = breaker.Cancelled
	case outcome.Failed():
		o = breaker.Failure
	}
	if whole := g.of(""); whole != nil {
		whole.breaker.Record(now, o, rand.Float64())
	}
	if route == "" {
		return
	}
	if own := g.of(route); own != nil {
		own.breaker.Record(now, o, rand.Float64())
	}
}

// judge brings the gates up to date with what is known now, and tells of those that changed.
func (s *service) judge(now time.Duration) {
	s.gate("") // also when nothing was sent yet: what the fleet says holds for a new caller
	var changed []breaker.Decision
	var modes []rules.Mode
	s.gates.mu.Lock()
	for route, g := range *s.gates.byRoute.Load() {
		s.informLocked(route, g)
		mode := g.settings.Mode
		if g.acts() {
			mode = rules.Act
		}
		if d := g.decide(now); d.State != g.told && mode != rules.Off {
			g.told = d.State
			d.Route = route
			changed, modes = append(changed, d), append(modes, mode)
		}
	}
	s.gates.mu.Unlock()
	for i := range changed {
		s.tellCircuit(&changed[i], modes[i])
	}
}

// tellCircuit tells that a breaker changed, and in ten seconds what that came to.
func (s *service) tellCircuit(d *breaker.Decision, mode rules.Mode) {
	event := semconv.EventRouteClose
	switch d.State {
	case signal.Open:
		event = semconv.EventRouteOpen
	case signal.HalfOpen:
		event = semconv.EventRouteHalfOpen
	}
	s.acted(&acts.Act{
		Event: event, Observed: mode == rules.Observe, Service: s.name, Route: d.Route, Rule: d.Rule.String(), Why: d.String(),
		Figures: []acts.Figure{
			{Name: "failure_ratio", Value: float64(d.Failures) / float64(max(d.Requests, 1)), Threshold: d.Ratio},
			{Name: "requests", Value: float64(d.Requests), Threshold: float64(d.MinRequests)},
		},
		Callers: d.Callers, BadCallers: d.BadCallers, Episode: int(d.Episode),
	})
}
