// SPDX-License-Identifier: Apache-2.0

package router

import (
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/signal"
)

// State says in words where an instance stands.
type State string

// The states.
const (
	Active         State = "active"
	Ramping        State = "ramping" // back, with a growing part of its traffic
	Probing        State = "probing"
	Ejected        State = "ejected"
	EjectedByFleet State = "ejected by the fleet"
	NotInService   State = "not in service" // by its own word: starting, draining or down
)

// Choice is what the router thinks of one instance.
type Choice struct {
	Member   discovery.Member
	State    State
	Reason   string        // why it is in its state; "" for one that was never out
	Weight   float64       // its weight when instances are drawn, 0 when it is not drawn
	Latency  time.Duration // as the router counts it now
	InFlight int           // requests of this router
	Episode  int           // how often this router took it out since it was last well for long
	Hold     time.Duration // until it is probed, when it is ejected

	// Verdict is the fleet's, nil when there is none. Vouched says that this
	// router's own experience outweighs it.
	Verdict *signal.Verdict
	Vouched bool
}

// Explain returns what the router thinks of each instance of a service, in the order
// of their ids. It adds a service that the router does not know yet, and returns
// [ErrClosed] and [*coord.NameError] like everything else.
func (r *Router) Explain(name string) ([]Choice, error) {
	s, err := r.service(name)
	if err != nil {
		return nil, err
	}
	var choices []Choice
	for _, c := range s.pool.Explain(r.now()) {
		choices = append(choices, Choice{
			Member: c.Member.Target.(*target).member, State: stateOf(c), Reason: string(c.Reason),
			Weight: c.Weight * c.Ramp, Latency: c.Latency, InFlight: c.InFlight,
			Episode: int(c.Episode), Hold: c.Hold, Verdict: c.Verdict, Vouched: c.Vouched,
		})
	}
	return choices, nil
}

func stateOf(c balance.Choice) State {
	switch {
	case !c.Member.InService:
		return NotInService
	case c.State == balance.Ejected:
		return Ejected
	case c.State == balance.EjectedByFleet:
		return EjectedByFleet
	case c.State == balance.Probing:
		return Probing
	case c.Ramp < 1:
		return Ramping
	}
	return Active
}
