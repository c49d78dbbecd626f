// SPDX-License-Identifier: Apache-2.0

package router

import (
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/internal/breaker"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
)

// State says in words where an instance stands.
type State string

// The states.
const (
	Active            State = "active"
	Ramping           State = "ramping" // back, with a growing part of its traffic
	Probing           State = "probing"
	Ejected           State = "ejected"
	EjectedByFleet    State = "ejected by the fleet"
	EjectedByOperator State = "ejected by an operator"
	NotInService      State = "not in service" // by its own word: starting, draining or down
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

	Capacity balance.Capacity // what it can do, as far as the fleet's signals tell
	Load     *balance.Report  // what it said last of itself to this router, nil when nothing
	LoadAge  time.Duration    // since then

	// Forced is the operator's word that keeps it out, nil when there is none.
	Forced *override.Override

	// Verdict is the fleet's, nil when there is none. Vouched says that this
	// router's own experience outweighs it.
	Verdict *signal.Verdict
	Vouched bool
}

// Explanation is what the router would do with a request now, and why. As JSON it has the
// words of routing documents; durations of what was measured are seconds.
type Explanation struct {
	Service  string
	Document rules.State // which is in force
	Policy   string      // that chooses among instances

	// Steps are what each route makes of the request, and Decisions all that can come of
	// it. It is one decision unless a random number is drawn.
	Steps     []rules.Step
	Decisions []Decision

	// Breakers are the service's, and those of the routes that take the request.
	Breakers []Breaker

	// Choices are the instances, in the order of their ids. Panic says that too few of them
	// are left in rotation, so that ejections are ignored.
	Choices []Choice
	Panic   bool

	Zone  string  // that is preferred, "" for none
	Stays float64 // part of the requests that stay there

	Overrides []override.Override // of the service, that hold in this process

	// Signals says whether the fleet's are heeded, which were current SignalsAge ago.
	Signals    bool
	SignalsAge time.Duration

	// Own is what this router saw itself over the last ten seconds.
	Own Stats

	// Acts are the last 32 things at most that this router did by itself about the service,
	// oldest first, each with its effect once that is known. What other processes did is in
	// the events that they told: package acts.
	Acts []acts.Act
}

// Decision is what may be decided of a request.
type Decision struct {
	Route    string  // that takes it, "" for none
	Variant  string  // that it goes to, "" for all instances
	Share    float64 // of such requests that are decided so, 0 to 1
	Admit    float64 // of those, how many the breakers let through
	Settings rules.Settings

	// Repeatable says that the request may be sent twice, by its method: retried after more
	// than a refused connection, or hedged.
	Repeatable bool

	// Instances are the ids of those in rotation that can get it. Fallback says that none
	// of the variant is in rotation, so that all others stand in.
	Instances []string
	Fallback  bool
}

// Breaker is a breaker, and why it is as it is.
type Breaker struct {
	Route string // whose it is, "" for the service's
	Mode  rules.Mode
	State signal.CircuitState
	Admit float64 // share of the requests that it lets through, or would, 0 to 1
	Rule  string  // who decided: forced (an operator), fleet, local (this process)
	Why   string  // the decision, its figures and its thresholds, in words

	Requests, Failures  uint64
	Callers, BadCallers int
	Episode             int

	// The thresholds that the figures are held against.
	Ratio       float64
	MinRequests uint64
	Quorum      int

	Forced *override.Override // the operator's word, nil when there is none
}

// Explain returns what the router thinks of each instance of a service, in the order
// of their ids. It adds a service that the router does not know yet, and returns
// [ErrClosed] and [*coord.NameError] like everything else.
func (r *Router) Explain(name string) ([]Choice, error) {
	s, err := r.service(name)
	if err != nil {
		return nil, err
	}
	return s.choices(), nil
}

// ExplainRequest returns what the router would do with a request to a service now. It sends
// nothing and counts nothing. A request that does not say who calls is of this router's own
// caller ([WithCaller]). Like [Router.Explain] it adds a service that it does not know.
func (r *Router) ExplainRequest(name string, req rules.Request) (Explanation, error) {
	s, err := r.service(name)
	if err != nil {
		return Explanation{}, err
	}
	if req.Caller == nil {
		req.Caller = r.labels
	}
	table := s.table.Load()
	e := Explanation{
		Service: name, Policy: table.Service().Policy.Name, Steps: table.Explain(&req),
		Choices: s.choices(), Panic: s.pool.Panicking(), Own: s.window.sum(r.now()), Acts: s.recentActs(),
	}
	if s.rules != nil {
		e.Document = s.rules.State()
	}
	if s.signals != nil {
		e.Signals, e.SignalsAge = s.signals.Fleet() != nil, s.signals.Age()
	}
	if s.forced != nil {
		for _, o := range s.forced.Current().All() {
			e.Overrides = append(e.Overrides, *o)
		}
	}
	if stays, matters := s.pool.Stays(); matters {
		e.Zone, e.Stays = r.zone, stays
	}
	e.Breakers = append(e.Breakers, s.explainBreaker(""))
	s.explainDecisions(&e, table, &req)
	return e, nil
}

// explainDecisions fills in what can come of the steps, and the routes' breakers.
func (s *service) explainDecisions(e *Explanation, table *rules.Table, req *rules.Request) {
	left := 1.0
	for i := range e.Steps {
		step := &e.Steps[i]
		if step.Share <= 0 {
			continue
		}
		left -= step.Share
		b := s.explainBreaker(step.Route)
		e.Breakers = append(e.Breakers, b)
		arms := step.Arms
		if arms == nil {
			arms = []rules.Part{{Share: step.Share}}
		}
		for _, arm := range arms {
			e.Decisions = append(e.Decisions, Decision{
				Route: step.Route, Variant: arm.Variant, Share: arm.Share, Admit: min(e.Breakers[0].admits(), b.admits()),
				Settings: *table.RouteSettings(step.Route),
			})
		}
	}
	if left > 1e-9 { // what rounding leaves is nothing
		e.Decisions = append(e.Decisions, Decision{Share: left, Admit: e.Breakers[0].admits(), Settings: *table.Settings()})
	}
	protocol := discovery.HTTP
	if req.GRPC != "" {
		protocol = discovery.GRPC
	}
	for i := range e.Decisions {
		d := &e.Decisions[i]
		d.Repeatable = d.Settings.Retry.Repeatable(req)
		d.Instances = inRotation(e.Choices, table.Variant(d.Variant), protocol)
		if d.Variant != "" && len(inRotation(e.Choices, table.Variant(d.Variant), "")) == 0 {
			d.Fallback, d.Instances = true, inRotation(e.Choices, nil, protocol)
		}
	}
}

// inRotation returns the ids of those in rotation that a selector matches, all for nil, and
// that serve a protocol, any for "".
func inRotation(choices []Choice, of *discovery.Selector, protocol string) []string {
	ids := []string{}
	for i := range choices {
		c := &choices[i]
		if c.Weight > 0 && (of == nil || of.Match(&c.Member)) && (protocol == "" || c.Member.Address(protocol) != "") {
			ids = append(ids, c.Member.ID)
		}
	}
	return ids
}

// admits returns which part of the requests pass: a breaker that does not act lets all, unless
// an operator has spoken.
func (b *Breaker) admits() float64 {
	if b.Mode != rules.Act && b.Rule != breaker.ByOperator.String() {
		return 1
	}
	return b.Admit
}

func (s *service) explainBreaker(route string) Breaker {
	g := s.gate(route)
	d := g.decide(s.router.now())
	b := Breaker{
		Route: route, Mode: g.settings.Mode, State: d.State, Admit: d.Admit, Rule: d.Rule.String(), Why: d.String(),
		Requests: d.Requests, Failures: d.Failures, Callers: d.Callers, BadCallers: d.BadCallers, Episode: int(d.Episode),
		Ratio: d.Ratio, MinRequests: d.MinRequests, Quorum: d.Quorum,
	}
	if s.forced != nil {
		if o := s.forced.Current().Breaker(route); o != nil && o.Route == route {
			b.Forced = o
		}
	}
	return b
}

func (s *service) choices() []Choice {
	var forced *override.Current
	if s.forced != nil {
		forced = s.forced.Current()
	}
	now := s.router.now()
	known := s.pool.Explain(now)
	choices := make([]Choice, len(known))
	for i := range known {
		c := &known[i]
		choices[i] = Choice{
			Member: c.Member.Target.(*target).member, State: stateOf(c), Reason: string(c.Reason),
			Weight: c.Weight * c.Ramp, Latency: c.Latency, InFlight: c.InFlight,
			Episode: int(c.Episode), Hold: c.Hold, Capacity: c.Capacity,
			Forced: forced.Ejected(c.Member.ID), Verdict: c.Verdict, Vouched: c.Vouched,
		}
		if c.Load.Known() {
			choices[i].Load, choices[i].LoadAge = &c.Load.Report, max(now-c.Load.At, 0)
		}
	}
	return choices
}

func stateOf(c *balance.Choice) State {
	switch {
	case !c.Member.InService:
		return NotInService
	case c.Forced:
		return EjectedByOperator
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
