// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/internal/stablehash"
)

const (
	// probesToReturn is how many probes in a row must succeed.
	probesToReturn = 3

	// lookAgain is how often a verdict is weighed against this router's own
	// experience, which also changes when nothing happens.
	lookAgain = time.Second
)

// step brings the states up to date and publishes what follows. The pool is locked.
func (p *Pool) step(now time.Duration) {
	next := time.Duration(math.MaxInt64)
	p.known = p.usable()
	for _, n := range p.sorted {
		if State(n.state.Load()) == Ejected {
			switch {
			case now >= n.until:
				p.to(n, Probing, HoldOver, now)
			case p.settings.Ejection.Mode != Act && !n.gone():
				p.to(n, Probing, SwitchedOff, now) // not straight into rotation: it may be as bad as ever
			}
		}
		if p.learn(n, now) {
			next = min(next, now+lookAgain)
		}
	}
	p.heed(now)
	next = min(next, p.compare(now))
	for _, n := range p.sorted {
		if State(n.state.Load()) == Ejected {
			next = min(next, n.until)
		}
	}
	p.rebuild()
	p.nextStep.Store(int64(next))
	p.probeBy(now)
}

// learn takes over what the fleet says of an instance, and reports whether it is
// anything but good.
func (p *Pool) learn(n *Node, now time.Duration) bool {
	n.verdict = nil
	prior := time.Duration(0)
	var can Capacity
	if p.fleet != nil {
		if s := p.fleet.Instances[n.id]; s != nil {
			n.verdict = &s.Verdict
			prior = s.Latency()
			can = Capacity{Demand: s.ServiceDemand, Parallelism: s.Parallelism}
		}
	}
	n.latency.prior.Store(int64(prior))
	n.capacity.store(can)
	if n.verdict == nil || n.verdict.State == signal.Good && n.verdict.Weight >= 1 {
		n.vouched.Store(false)
		return false
	}
	n.mu.Lock()
	n.vouched.Store(n.record.vouches(now))
	n.mu.Unlock()
	return true
}

func (n *Node) bad() bool {
	return n.verdict != nil && n.verdict.State == signal.Bad && !n.vouched.Load()
}

// limit is how many of the instances that serve may be out at once by the fleet's verdict, or
// because they stand out from the others.
func (p *Pool) limit(serving int) int {
	const rounding = 1e-9 // 0.29 × 100 is 28.999999999999996
	return int(p.settings.Ejection.Share*float64(serving) + rounding)
}

// heed acts on the fleet's verdicts. Those that are out already come first, then by
// id: routers that hear the same take out the same.
func (p *Pool) heed(now time.Duration) {
	serving, out, doubted := 0, 0, 0
	for _, n := range p.sorted {
		if p.serves(n) {
			serving++
		}
	}
	limit := p.limit(serving)
	for _, n := range p.sorted {
		if State(n.state.Load()) != EjectedByFleet {
			continue
		}
		switch {
		case !n.bad():
			p.to(n, Probing, OnProbation, now)
		case p.settings.Ejection.Mode != Act:
			p.to(n, Probing, SwitchedOff, now)
		case !p.serves(n):
		case out < limit:
			out++
		default:
			p.to(n, Probing, OnProbation, now)
		}
	}
	for _, n := range p.sorted {
		if State(n.state.Load()) == Probing && n.reason == OnProbation && p.serves(n) {
			doubted++
		}
	}
	for _, n := range p.sorted {
		state := State(n.state.Load())
		if state != Active && state != Probing || n.verdict == nil || !p.serves(n) {
			continue
		}
		switch {
		case n.bad() && out < limit:
			out++ // also where that is only told: no more than would leave
			if p.acts(n, ByVerdict, now) {
				p.to(n, EjectedByFleet, ByVerdict, now)
			}
		case n.verdict.State == signal.Probation && state == Active && !n.latency.known() && n.inFlight.Load() == 0 && out+doubted < limit:
			doubted++
			if p.acts(n, OnProbation, now) {
				p.to(n, Probing, OnProbation, now) // nothing is known of it here but that it was bad
			}
		}
	}
}

// to moves an instance into a state. The pool is locked; the caller rebuilds.
func (p *Pool) to(n *Node, state State, reason Reason, now time.Duration) {
	was := State(n.state.Load())
	e := Event{Node: n, Reason: reason, Episode: n.episode}
	p.explain(&e, now)
	n.state.Store(uint32(state))
	n.since.Store(int64(now))
	n.reason, n.passed = reason, 0
	if reason != Succeeded {
		n.mu.Lock()
		n.record = record{}
		n.failing.reset()
		n.mu.Unlock()
	}
	switch state {
	case Probing:
		n.probeDue.Store(int64(now))
		n.together.Store(reason == OnProbation)
		if was != Active {
			return
		}
		e.Kind = Left
	case Active:
		n.rampFor.Store(int64(rampTime))
		n.returned.Store(int64(now))
		e.Kind = Returned
	case Ejected:
		e.Kind, e.Local, e.Hold = Left, true, n.until-now
	case EjectedByFleet:
		if was != Active {
			return // it was out before
		}
		e.Kind = Left
	}
	p.events = append(p.events, e)
}

// eject takes an instance out by this router's own evidence, and reports whether it did. A
// stay in rotation as long as the last hold ends the count of episodes.
func (p *Pool) eject(n *Node, now time.Duration, reason Reason) bool {
	if !p.acts(n, reason, now) || p.full(n, reason) {
		return false
	}
	if back := time.Duration(n.returned.Load()); State(n.state.Load()) == Active && now-back >= signal.Hold(p.settings.Ejection.Base, n.episode) {
		n.episode = 0
	}
	n.episode++
	n.until = now + p.hold(n)
	p.to(n, Ejected, reason, now)
	return true
}

// full reports whether as many are out as may be, so that another that fails here has to
// stay. Where the share leaves no less in rotation than panic does, panic draws the line: it
// then takes all back at once, which tells of it. An instance that is not there is none of
// those: to keep it would help nobody.
func (p *Pool) full(n *Node, reason Reason) bool {
	if reason == Unreachable || State(n.state.Load()) != Active || p.settings.Ejection.Share >= 1-p.settings.Panic {
		return false
	}
	out := 0
	for _, other := range p.known {
		if State(other.state.Load()) != Active && !other.gone() {
			out++
		}
	}
	return out >= p.limit(len(p.known))
}

// jitter is by how much of itself a hold is longer at most, so that callers that took an
// instance out at once do not all probe it at once.
const jitter = 0.2

// hold returns for how long an instance is out. What is random in it follows from who is out
// where, so that it needs no randomness: without an id of the caller there is none.
func (p *Pool) hold(n *Node) time.Duration {
	hold := signal.Hold(p.settings.Ejection.Base, n.episode)
	if p.settings.Caller == "" {
		return hold
	}
	hash := stablehash.Mix(stablehash.Text(p.settings.Caller) ^ stablehash.Text(n.id) + uint64(n.episode))
	longest := float64(signal.MaxHold) / (1 + jitter)
	return time.Duration(min(float64(hold), longest) * (1 + jitter*float64(hash>>11)/(1<<53)))
}

// acts reports whether an instance may be taken out: when the switch is on, or when it is not
// there, which is no judgement of how it does. Where the switch only observes, what would have
// been done to an instance in rotation is told, once in the time that it would have lasted.
func (p *Pool) acts(n *Node, reason Reason, now time.Duration) bool {
	if p.settings.Ejection.Mode == Act || reason == Unreachable || reason == FailedProbe && n.gone() {
		return true
	}
	if p.settings.Ejection.Mode == Observe && State(n.state.Load()) == Active && now >= n.told {
		hold := p.settings.Ejection.Base
		n.told = now + hold
		e := Event{Kind: WouldLeave, Node: n, Reason: reason, Episode: 1}
		if e.Local = reason != ByVerdict && reason != OnProbation; e.Local {
			e.Hold = hold
		}
		p.explain(&e, now)
		p.events = append(p.events, e)
	}
	return false
}

// gap is the time between two probes of one instance.
func (p *Pool) gap() time.Duration { return max(p.table.Load().ejection.Base/10, minGap) }

// explain adds the figures that led to an event, before they are forgotten.
func (p *Pool) explain(e *Event, now time.Duration) {
	n, by := e.Node, &p.settings.Ejection
	switch e.Reason {
	case Consecutive, Ratio:
		n.mu.Lock()
		inARow := n.record.inARow
		sum := n.record.sum(now)
		n.mu.Unlock()
		if e.Reason == Consecutive {
			e.Figures = []Figure{{"consecutive", float64(inARow), float64(by.Consecutive)}}
			return
		}
		e.Figures = []Figure{
			{"failure_ratio", float64(sum.failures) / float64(max(sum.requests, 1)), by.Ratio},
			{"requests", float64(sum.requests), float64(by.Requests)},
		}
	case Outlier, Sluggish:
		e.Figures = []Figure{n.stands}
	case ByVerdict, OnProbation:
		if v := n.verdict; v != nil {
			e.Callers, e.BadCallers = v.Callers, v.BadCallers
			e.Figures = []Figure{
				{"failure_ratio", float64(v.Failures) / float64(max(v.Requests, 1)), signal.BadRatio},
				{"requests", float64(v.Requests), signal.MinRequests},
			}
		}
	}
}

// stands reports whether a member has been in a state since before an attempt began.
// Whoever asked without the lock may have been overtaken.
func (p *Pool) stands(n *Node, state State, start time.Duration) bool {
	return p.nodes[n.id] == n && State(n.state.Load()) == state && start >= time.Duration(n.since.Load())
}

// failed is told of a failure in rotation that changes something.
func (p *Pool) failed(n *Node, start, now time.Duration, reason Reason) {
	p.mu.Lock()
	defer p.unlock()
	if !p.stands(n, Active, start) {
		return
	}
	// Who fails where the switch is off must not cost a new table for each failure.
	if reason != None && p.eject(n, now, reason) || n.vouched.Load() {
		p.step(now)
	}
}

// probed is told how a probe ended.
func (p *Pool) probed(n *Node, start, now time.Duration, failed bool) {
	p.mu.Lock()
	defer p.unlock()
	if !p.stands(n, Probing, start) {
		return
	}
	if failed {
		if p.eject(n, now, FailedProbe) {
			p.step(now)
			return
		}
		n.passed = 0 // the switch is off: it is probed for as long as that takes
		p.probeAgain(n, now)
		return
	}
	if n.passed++; n.passed < probesToReturn {
		n.probeDue.Store(int64(now + p.gap()))
		p.probeBy(now + p.gap())
		return
	}
	p.to(n, Active, Probed, now)
	p.step(now)
}

// probeAgain is told of a probe that said nothing.
func (p *Pool) probeAgain(n *Node, now time.Duration) {
	n.probeDue.Store(int64(now + p.gap()))
	p.probeBy(now + p.gap())
}

// succeeded is told that an ejected instance, used in panic, does well.
func (p *Pool) succeeded(n *Node, start, now time.Duration) {
	p.mu.Lock()
	defer p.unlock()
	if !p.stands(n, Ejected, start) && !p.stands(n, EjectedByFleet, start) {
		return
	}
	p.to(n, Active, Succeeded, now)
	n.returned.Store(int64(now - rampTime)) // it carries its traffic already
	p.step(now)
}

// Unreachable says that an instance could not be connected to, without a request.
func (p *Pool) Unreachable(now time.Duration, id string) {
	p.mu.Lock()
	defer p.unlock()
	n := p.nodes[id]
	if n == nil || !n.member.Load().Unconfirmed || n.trusted.Load() || State(n.state.Load()) != Active {
		return
	}
	p.eject(n, now, Unreachable)
	p.step(now)
}
