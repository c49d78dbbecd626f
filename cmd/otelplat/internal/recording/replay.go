// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Thresholds are what a replay judges by.
type Thresholds struct {
	signal.Thresholds
	Base time.Duration // of the time for which a verdict is kept
}

// Turn is a verdict that would have turned.
type Turn struct {
	At       time.Duration
	Service  string
	Instance string // "" for a circuit
	Route    string // of a circuit; "" is the whole service
	State    string // bad, probation, good; of a circuit open, half open, closed
	Episode  uint32
	Verdict  signal.Verdict // the figures that it follows from
}

// Circuit reports whether it is about a service or a route, not an instance.
func (t *Turn) Circuit() bool { return t.Instance == "" }

// step is how often latches are looked at while nothing is written.
const step = time.Second

// maxServices bounds the services of a recording.
const maxServices = 10_000

// Replay returns the turns of all verdicts, in order of time. It ends with the first error,
// which is that of the recording, or names a share that cannot be read.
func Replay(entries iter.Seq2[Entry, error], t Thresholds) ([]Turn, error) {
	p := &player{thresholds: t, services: make(map[string]*service)}
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if err := p.take(e); err != nil {
			return nil, err
		}
	}
	p.look()
	return p.turns, nil
}

type player struct {
	thresholds Thresholds
	services   map[string]*service
	now        time.Duration
	turns      []Turn
}

// service is what was written of a service last.
type service struct {
	shares  map[string]*signal.Share // by key, without latches
	fleet   *signal.Fleet
	latches map[target]*latch
}

// target is an instance, or a scope.
type target struct{ instance, route string }

func (p *player) take(e Entry) error {
	for ; p.now+step <= e.At; p.now += step {
		if !p.latched() {
			p.look()
			p.now = e.At - e.At%step
			break
		}
		p.look()
	}
	if e.At > p.now {
		p.look() // all that was written at one time is looked at together
		p.now = e.At
	}
	if e.Key == "" {
		return nil // it says how far the recording goes
	}
	name, _, _, _, err := signal.ParseKey(e.Key)
	if err != nil {
		return err
	}
	s := p.services[name]
	if s == nil {
		if len(p.services) >= maxServices {
			return fmt.Errorf("recording: it has more than %d services", maxServices)
		}
		s = &service{shares: make(map[string]*signal.Share), latches: make(map[target]*latch)}
		p.services[name] = s
	}
	s.fleet = nil
	if len(e.Share) == 0 {
		delete(s.shares, e.Key)
		return nil
	}
	share, err := signal.Decode(e.Share)
	if err != nil {
		return fmt.Errorf("recording: %s at %v: %w", e.Key, e.At, err)
	}
	for i := range share.Instances {
		share.Instances[i].Latch = signal.Latch{}
	}
	for i := range share.Scopes {
		share.Scopes[i].Latch, share.Scopes[i].Condemned = signal.Latch{}, signal.Evidence{}
	}
	s.shares[e.Key] = share
	return nil
}

// latched reports whether time alone can turn a verdict.
func (p *player) latched() bool {
	for _, s := range p.services {
		if s.turns() {
			return true
		}
	}
	return false
}

// turns reports whether there is something to look at: what was written, or a latch that
// ends by itself.
func (s *service) turns() bool {
	if s.fleet == nil {
		return true
	}
	for _, l := range s.latches {
		if l.state != signal.Good {
			return true
		}
	}
	return false
}

// look judges what was written so far.
func (p *player) look() {
	for _, name := range slices.Sorted(maps.Keys(p.services)) {
		s := p.services[name]
		if !s.turns() {
			continue
		}
		if s.fleet == nil {
			s.fleet = p.thresholds.Merge(slices.Collect(maps.Values(s.shares)))
		}
		evidence := make(map[target]*signal.Evidence, len(s.fleet.Instances)+len(s.fleet.Scopes))
		for id, in := range s.fleet.Instances {
			evidence[target{instance: id}] = &in.Evidence
		}
		for route, scope := range s.fleet.Scopes {
			evidence[target{route: route}] = &scope.Evidence
		}
		for of := range s.latches {
			if evidence[of] == nil {
				evidence[of] = &signal.Evidence{} // its traffic has ended
			}
		}
		for _, of := range slices.SortedFunc(maps.Keys(evidence), func(a, b target) int {
			return cmp.Or(cmp.Compare(a.instance, b.instance), cmp.Compare(a.route, b.route))
		}) {
			l := s.latches[of]
			if l == nil {
				l = &latch{}
				s.latches[of] = l
			}
			if !l.look(p.now, evidence[of], of.instance == "", p.thresholds) {
				if l.state == signal.Good && len(evidence[of].Callers) == 0 {
					delete(s.latches, of)
				}
				continue
			}
			turn := Turn{At: p.now, Service: name, Instance: of.instance, Route: of.route, State: l.state.String(), Episode: l.episode, Verdict: l.verdict}
			if turn.Circuit() {
				turn.State = [...]string{signal.Good: signal.Closed.String(), signal.Bad: signal.Open.String(), signal.Probation: signal.HalfOpen.String()}[l.state]
			}
			p.turns = append(p.turns, turn)
		}
	}
}

// latch is what a collector's is, on the evidence of all collectors.
type latch struct {
	state     signal.State
	episode   uint32
	since     time.Duration
	heard     signal.Evidence // as of the last turn: what is still the same is not news
	condemned signal.Evidence
	verdict   signal.Verdict
}

// look moves the latch on, and reports whether it turned.
func (l *latch) look(now time.Duration, e *signal.Evidence, circuit bool, t Thresholds) bool {
	was := *l
	news := !reflect.DeepEqual(*e, l.heard)
	judge, enough, probation := t.Judge, t.MinRequests, signal.Hold(t.Base, l.episode)
	if circuit {
		judge, enough = t.JudgeScope, t.ScopeRequests
	}
	switch v := judge(e, enough); l.state {
	case signal.Good:
		if news && v.State == signal.Bad {
			l.condemn(now, e, v)
		}
	case signal.Bad:
		switch {
		case news && e.Requests >= enough && v.State != signal.Bad:
			*l = latch{since: now, verdict: v}
		case news && e.Requests >= enough:
			l.since, l.condemned, l.heard = now, *e, *e
		case now-l.since >= signal.Hold(t.Base, l.episode):
			l.state, l.since, l.heard = signal.Probation, now, *e
		}
	case signal.Probation:
		v = judge(e, 1)
		if circuit {
			v = judge(e, t.ProbeRequests)
			if now-l.since < signal.Ramp {
				v = t.JudgeProbes(e, &l.condemned, t.ProbeRequests)
			}
		}
		good := news && e.Requests-min(e.Requests, e.Failures) >= enough && (!circuit || now-l.since >= signal.Ramp)
		switch {
		case news && v.State == signal.Bad:
			l.condemn(now, e, v)
		case good, now-l.since >= max(probation, ramp(circuit)):
			*l = latch{since: now, heard: *e, verdict: v}
		}
	}
	return l.state != was.state || l.episode != was.episode
}

// ramp is how long a circuit is half open at least.
func ramp(circuit bool) time.Duration {
	if circuit {
		return signal.Ramp
	}
	return 0
}

func (l *latch) condemn(now time.Duration, e *signal.Evidence, v signal.Verdict) {
	*l = latch{state: signal.Bad, episode: l.episode + 1, since: now, heard: *e, condemned: *e, verdict: v}
}
