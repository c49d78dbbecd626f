// SPDX-License-Identifier: Apache-2.0

package router

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/rules"
)

// Selector chooses instances of one service for protocols of the caller's own: select an
// instance, send to it, record how that went. Its methods are safe for concurrent use.
type Selector struct{ service *service }

// Selector returns the selector of a service. It returns [ErrClosed] and a
// [*coord.NameError].
func (r *Router) Selector(name string) (*Selector, error) {
	s, err := r.service(name)
	if err != nil {
		return nil, err
	}
	return &Selector{s}, nil
}

// Outcome is how an attempt ended.
type Outcome = balance.Outcome

// The outcomes.
const (
	OK        = balance.OK
	Error     = balance.Error     // the instance's fault
	Timeout   = balance.Timeout   // no answer in time
	Refused   = balance.Refused   // no connection
	Cancelled = balance.Cancelled // by the caller: says nothing of the instance
)

// Selection is an instance that was chosen. It counts as in flight until [Selection.Record].
type Selection struct {
	Member discovery.Member
	Route  string // that took the request, "" for none

	service  *service
	decision rules.Decision
	attempt  attempt
	recorded atomic.Bool
}

// Select chooses an instance that serves a protocol, by its name in discovery; "" takes any.
// Req is what routes look at; nil for nothing. It returns a [*NoInstancesError], an
// [*OpenError] or [ErrClosed]. Whoever selects must record.
func (s *Selector) Select(protocol string, req *rules.Request) (*Selection, error) {
	if s.service.router.ctx.Err() != nil {
		return nil, ErrClosed
	}
	q := &request{once: true}
	if req != nil {
		q.rules = *req
	}
	if q.rules.Caller == nil {
		q.rules.Caller = s.service.router.labels
	}
	if err := s.service.decide(q); err != nil {
		return nil, err
	}
	var usable func(*node) bool
	if protocol != "" {
		usable = func(n *node) bool { return targetOf(n).member.Address(protocol) != "" }
	}
	a, ok := q.pick(s.service.router.now(), s.service.pick, usable, false)
	if !ok {
		return nil, s.service.noInstances(protocol)
	}
	return &Selection{
		Member: targetOf(a.Node()).member, Route: q.decision.Route,
		service: s.service, decision: q.decision, attempt: a,
	}, nil
}

// Record tells how the attempt ended. The first call counts.
func (s *Selection) Record(outcome Outcome) {
	if s.recorded.CompareAndSwap(false, true) {
		s.service.done(s.attempt, &s.decision, 0, outcome, balance.Measured)
	}
}

// RecordLoad tells what the instance said of its load: requests in flight there, the
// selected one not counted, and what requests took that came at about that load (0: it did
// not say). It comes before [Selection.Record].
func (s *Selection) RecordLoad(inFlight int, latency time.Duration) {
	s.attempt.Says(s.service.router.now(), balance.Report{InFlight: inFlight, Latency: latency})
}

// Stats returns what this process saw of the service in the last ten seconds, by all
// clients of the router.
func (s *Selector) Stats() Stats { return s.service.window.sum(s.service.router.now()) }

// Wanted calls ask for each instance whose load should be asked for now, after a request
// was sent; the answers go to [Selector.Heard]. A caller whose protocol can carry no such
// question leaves both out.
func (s *Selector) Wanted(ask func(instance string)) {
	s.service.pool.Ask(balance.Request{Now: s.service.router.now(), Random: rand.IntN}, func(n *node) { ask(n.ID()) })
}

// Heard tells what an instance answered, as [Selection.RecordLoad].
func (s *Selector) Heard(instance string, inFlight int, latency time.Duration) {
	s.service.pool.HeardOf(balance.Request{Now: s.service.router.now(), Random: rand.IntN}, instance,
		balance.Report{InFlight: inFlight, Latency: latency})
}
