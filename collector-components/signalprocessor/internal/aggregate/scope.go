// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

const (
	// shardOfScopes is the share that carries the scopes of a service.
	shardOfScopes = 0

	// scopeMatters is how far a scope's failure ratio must move before readers are told.
	// They act on whether half of the requests fail, not on the figure.
	scopeMatters = 0.1

	// shareMatters is the factor by which the share of a half-open circuit grows before it is
	// told again: readers compute it themselves, and who comes later is not further behind.
	shareMatters = 2.0
)

// scope is what this collector knows about a service as a whole, or about one route of it.
// It is an instance's record without latency and capacity, and its latch ends in a ramp:
// where an instance is probed, a circuit lets more and more of the traffic through.
type scope struct {
	route string
	observed

	latch     latch
	condemned signal.Evidence // that led to the latch; on probation only

	verdict  signal.State
	turned   bool
	released published
	share    float64 // of a half-open circuit, as published last
	written  bool
	looked   int64
}

// recordScopes takes in a measurement for the service and for the route that it names.
func (a *Aggregate) recordScopes(now time.Duration, caller uint64, s *service, m *Measurement) error {
	if s.whole == nil {
		s.whole = a.scope(s, "")
	}
	if s.whole != nil {
		s.whole.record(now, caller, m)
	}
	if m.Route == "" {
		return nil
	}
	route := a.scope(s, m.Route)
	if route == nil {
		return ErrRoutes
	}
	route.record(now, caller, m)
	return nil
}

// scope returns the record of a scope, nil when it would be one too many. The service's own
// has its place whatever routes there are.
func (a *Aggregate) scope(s *service, route string) *scope {
	if sc := s.scopes[route]; sc != nil {
		return sc
	}
	routes := len(s.scopes)
	if s.whole != nil {
		routes--
	}
	if route != "" && routes >= signal.MaxScopes-1 || a.scopes >= maxScopes*a.maxInstances {
		return nil
	}
	sc := &scope{route: route, observed: observed{history: history{untimed: true}}} // a circuit knows no latency
	s.scopes[route] = sc
	a.scopes++
	return sc
}

// maxScopes bounds the scopes of all services, by instance that may be known.
const maxScopes = 2

// lookScopes moves the circuits of a service on, and forgets routes that nobody takes any
// more.
func (a *Aggregate) lookScopes(now time.Duration, s *service) {
	second := secondOf(now)
	for route, sc := range s.scopes {
		if !sc.touched && sc.looked == second && sc.written && !sc.turned {
			continue
		}
		sc.touched = false
		e := sc.look(now, a.base)
		switch {
		case sc.latch.state == signal.Good && now-sc.last >= forget:
			if sc.written {
				s.mark(shardOfScopes, false)
			}
			delete(s.scopes, route)
			a.scopes--
			if sc == s.whole {
				s.whole = nil
			}
		case sc.turned || !sc.written:
			s.mark(shardOfScopes, sc.turned)
		case second != sc.looked:
			sc.looked = second
			if p := sc.published(now, &e); sc.moved(now, &p) {
				s.mark(shardOfScopes, false)
			}
		}
	}
}

// publishScopes returns the scopes of a service, and notes that they are published.
func (s *service) publishScopes(now time.Duration) []signal.Scope {
	list := make([]signal.Scope, 0, len(s.scopes))
	for _, sc := range s.scopes {
		known := sc.signal(now)
		list = append(list, known)
		sc.released, sc.written, sc.turned = sc.published(now, &known.Evidence), true, false
		sc.share = sc.admits(now)
	}
	slices.SortFunc(list, func(x, y signal.Scope) int { return cmp.Compare(x.Route, y.Route) })
	return list
}

// judge returns the verdict on a scope's evidence.
func judge(e *signal.Evidence, minRequests uint64) signal.State {
	return thresholds.JudgeScope(e, minRequests).State
}

var thresholds = signal.DefaultThresholds()

// look moves the latch on, notes whether it turned, and returns the evidence as it stands,
// which is valid until the next look.
func (s *scope) look(now, base time.Duration) signal.Evidence {
	l := &s.latch
	e := s.evidence(now, s.since(), s.room)
	s.room = e.Callers
	switch l.state {
	case signal.Good:
		if judge(&e, signal.ScopeRequests) == signal.Bad {
			s.condemn(now, base, e)
		}
	case signal.Bad:
		switch enough := e.Named() >= signal.ScopeRequests; {
		case enough && judge(&e, signal.ScopeRequests) != signal.Bad:
			s.pardon() // callers that go there all the same find it well
		case enough:
			l.since, l.evidence = now, keep(e)
		case now-l.since >= l.hold:
			s.condemned = l.evidence
			l.state, l.since, l.hold, l.evidence = signal.Probation, now, signal.Ramp, signal.Evidence{}
		}
	case signal.Probation:
		age := now - l.since
		switch {
		case age < signal.Ramp && thresholds.JudgeProbes(&e, &s.condemned, signal.ProbeRequests).State == signal.Bad,
			age >= signal.Ramp && judge(&e, signal.ProbeRequests) == signal.Bad:
			s.condemn(now, base, e)
		case age >= signal.Ramp && e.Named() >= signal.ScopeRequests, age >= max(signal.Ramp, signal.Hold(base, l.episode)):
			s.pardon()
		}
	}
	if l.state != s.verdict {
		s.verdict, s.turned = l.state, true
	}
	s.forgetCallers(now)
	if l.state == signal.Bad {
		return l.evidence
	}
	return e
}

// condemn latches evidence, as the next episode.
func (s *scope) condemn(now, base time.Duration, e signal.Evidence) {
	episode := s.latch.episode + 1
	s.latch = latch{state: signal.Bad, episode: episode, since: now, hold: signal.Hold(base, episode), evidence: keep(e)}
	s.condemned = signal.Evidence{}
}

func (s *scope) pardon() { s.latch, s.condemned = latch{}, signal.Evidence{} }

// since is the first second whose evidence counts in the latch's state.
func (s *scope) since() int64 {
	switch s.latch.state {
	case signal.Bad:
		return s.latch.freshFrom()
	case signal.Probation:
		return secondOf(s.latch.since) + 1
	}
	return 0
}

// evidence is what callers saw over the shortest of the last 1 to 10 s in which those that
// are kept sent enough requests, or over the last 10 s. The callers are put into room.
func (s *scope) evidence(now time.Duration, since int64, room []signal.Caller) signal.Evidence {
	current := secondOf(now)
	var named [seconds]uint64 // by age
	for _, c := range s.callers {
		for i := range c.slots {
			if age := current - c.slots[i].at; age >= 0 && age < seconds && c.slots[i].at >= since {
				named[age] += c.slots[i].requests
			}
		}
	}
	length, requests := int64(1), named[0]
	for ; requests < signal.ScopeRequests && length < seconds; length++ {
		requests += named[length]
	}
	return s.over(current, length, since, room)
}

// moved reports whether what is known differs from what readers know by more than noise and
// enough to matter.
func (s *scope) moved(now time.Duration, p *published) bool {
	r := &s.released
	if s.latch.state == signal.Probation && s.admits(now) >= shareMatters*s.share {
		return true
	}
	if r.evidenceBad != p.evidenceBad || r.coarse != p.coarse {
		return true
	}
	if p.coarse && p.requests == 0 {
		return false
	}
	if rateMoved(r, p) {
		return true
	}
	return ratioMoved(r, p) && math.Abs(r.ratio()-p.ratio()) >= scopeMatters
}

// admits returns the share of a half-open circuit, 0 of others.
func (s *scope) admits(now time.Duration) float64 {
	if s.latch.state != signal.Probation {
		return 0
	}
	return signal.RampShare(now-s.latch.since, s.latch.hold)
}

// signal returns what is known, in the form that is published.
func (s *scope) signal(now time.Duration) signal.Scope {
	out := signal.Scope{Route: s.route, Windows: s.history.windows(now), Condemned: s.condemned}
	if l := &s.latch; l.state != signal.Good {
		out.Latch = signal.Latch{State: l.state, Episode: l.episode, Age: now - l.since, Hold: l.hold}
	}
	if s.latch.state == signal.Bad {
		out.Evidence = s.latch.evidence
	} else {
		out.Evidence = s.evidence(now, s.since(), nil)
	}
	return out
}
