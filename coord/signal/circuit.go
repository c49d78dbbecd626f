// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

// CircuitState says whether requests go to a scope.
type CircuitState uint8

// The states of a circuit, from the most open-handed to the least.
const (
	Closed   CircuitState = iota // all requests go
	HalfOpen                     // a share that grows
	Open                         // none
)

// String returns the state in words.
func (s CircuitState) String() string {
	switch s {
	case Closed:
		return "closed"
	case HalfOpen:
		return "half open"
	case Open:
		return "open"
	}
	return "unknown"
}

// Circuit is the breaker of a scope as the fleet has it, with the figures that it follows
// from. The zero value is the closed circuit of a service of which nothing is known.
type Circuit struct {
	Route string // "" is the whole service
	State CircuitState

	// Episode, Age and Hold are of the latch behind the state: how many times in a row the
	// scope was found bad, and how far the state was, when the share was written, into the
	// time that it takes. All are zero while the evidence is latched by no collector.
	Episode   uint32
	Age, Hold time.Duration

	// What the callers say. Half open, it is what had opened the circuit.
	Callers    int // that sent within the evidence, at most [MaxCallers] of them
	BadCallers int // of those, how many saw the scope bad
	Requests   uint64
	Failures   uint64

	Thresholds Thresholds // that it was judged by
}

// Share returns the share of the requests that the circuit admits, 0 to 1, so long after
// the share was received. No clock of another machine comes into it. Half open, it grows
// by the same factor each second, from [MinShare] to all.
func (c Circuit) Share(since time.Duration) float64 {
	switch c.State {
	case Closed:
		return 1
	case HalfOpen:
		return RampShare(c.Age+max(since, 0), c.Hold)
	}
	return 0
}

// RampShare returns the share that is admitted at an age of a ramp: [MinShare] at its
// beginning, and 1 from its end on. A service that had been down finds its caches cold and
// its pools empty: each step is about as large, relative to what it already serves, as the
// one before.
func RampShare(age, ramp time.Duration) float64 {
	ramp = min(ramp, MaxHold)
	if age >= ramp {
		return 1
	}
	return math.Pow(MinShare, 1-float64(max(age, 0))/float64(ramp))
}

// String says the state, its figures and the thresholds in words.
func (c Circuit) String() string {
	name := "the service"
	if c.Route != "" {
		name = "route " + c.Route
	}
	episode := ""
	if c.Episode > 0 {
		episode = fmt.Sprintf(", episode %d", c.Episode)
	}
	return fmt.Sprintf("%s is %s%s: %d of %d callers saw it bad (%.0f %% failing, quorum %d), %d of %d requests failed (at least %d)",
		name, c.State, episode, c.BadCallers, c.Callers, 100*c.Thresholds.BadRatio, c.Thresholds.Quorum, c.Failures, c.Requests, c.Thresholds.ScopeRequests)
}

// Circuit returns the breaker of a route, or with "" that of the whole service.
func (f *Fleet) Circuit(route string) Circuit {
	if s := f.Scopes[route]; s != nil {
		return s.Circuit
	}
	return Circuit{Route: route, Thresholds: DefaultThresholds()}
}

// ScopeSignal is what all collectors together know about one scope.
type ScopeSignal struct {
	Route     string
	Windows   []Window // ascending by Seconds
	Evidence  Evidence // as it is now: fresh, or latched
	Condemned Evidence // who has had reason to open the circuit: latched, or else fresh
	Latch     Latch    // the gravest of the shares'
	Circuit   Circuit

	probation Latch // the gravest of those on probation
}

// Window returns the window of the given length, nil when there is none.
func (s *ScopeSignal) Window(seconds uint32) *Window { return windowOf(s.Windows, seconds) }

func (s *ScopeSignal) add(in *Scope) {
	for i := range in.Windows {
		s.Windows = addWindow(s.Windows, &in.Windows[i])
	}
	s.Evidence.add(&in.Evidence)
	if in.Latch.State == Probation {
		s.Condemned.add(&in.Condemned)
		if graver(in.Latch, s.probation) {
			s.probation = in.Latch
		}
	} else {
		s.Condemned.add(&in.Evidence)
	}
	if graver(in.Latch, s.Latch) {
		s.Latch = in.Latch
	}
}

// judge sets the circuit from the merged evidence and the gravest latches. It is open when
// a quorum says so now. Otherwise it is half open when a collector has the scope on
// probation, and a quorum had reason for that: one caller of many whose word sufficed for a
// collector that heard nobody else slows nobody down.
func (s *ScopeSignal) judge(t Thresholds) {
	requests := t.ScopeRequests
	switch s.Latch.State {
	case Bad:
		requests = 1 // it was reached on full evidence, or on probes
	case Probation:
		requests = min(t.ProbeRequests, t.ScopeRequests)
	}
	onProbation := s.probation.State == Probation
	verdict, state, latch := t.JudgeScope(&s.Evidence, requests), Closed, Latch{}
	if onProbation && s.probation.Age < s.probation.Hold {
		verdict = t.JudgeProbes(&s.Evidence, &s.Condemned, requests)
	}
	if verdict.State == Bad {
		state = Open
		if s.Latch.State == Bad {
			latch = s.Latch
		}
	} else if onProbation {
		if had := t.JudgeScope(&s.Condemned, 1); had.State == Bad {
			verdict, state, latch = had, HalfOpen, s.probation
		}
	}
	s.Circuit = Circuit{
		Route: s.Route, State: state, Episode: latch.Episode, Age: latch.Age, Hold: latch.Hold, Thresholds: t,
		Callers: verdict.Callers, BadCallers: verdict.BadCallers, Requests: verdict.Requests, Failures: verdict.Failures,
	}
}

// JudgeScope returns the verdict on a scope, [Bad] or [Good], by the quorum of
// [Thresholds.Judge]. The requests that count towards the minimum are those of the callers
// that the evidence names: three of hundreds that failed once each are no quorum for a
// hundred requests of others.
func (t Thresholds) JudgeScope(e *Evidence, minRequests uint64) Verdict {
	v := t.Judge(e, minRequests)
	if v.State == Bad && e.Named() < minRequests {
		v.State = Good
	}
	return v
}

// JudgeProbes is [Thresholds.JudgeScope] while traffic comes back to a scope on probation.
// Few of those who condemned it were heard again so far, so the quorum is one of all of
// them: one caller whose requests fail for a reason of its own, and who speaks first, would
// keep the circuit open for ever.
func (t Thresholds) JudgeProbes(e, condemned *Evidence, minRequests uint64) Verdict {
	v := t.JudgeScope(e, minRequests)
	if v.State == Bad && v.BadCallers < min(t.Quorum, known(e.Callers, condemned.Callers)) {
		v.State = Good
	}
	return v
}

// known returns how many callers two lists have together.
func known(a, b []Caller) (n int) {
	for ; len(a) > 0 && len(b) > 0; n++ {
		switch c := cmp.Compare(a[0].Hash, b[0].Hash); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return n + len(a) + len(b)
}

// Named returns the requests of the callers that the evidence names, which are all where
// there are at most [MaxCallers].
func (e *Evidence) Named() (requests uint64) {
	for i := range e.Callers {
		requests += e.Callers[i].Requests
	}
	return requests
}
