// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"slices"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/signal/capacity"
)

// forget is how long an instance without traffic and verdict is kept.
const forget = 30 * time.Second

// instance is what this collector knows about one instance.
type instance struct {
	id, variant, zone string
	observed
	capacity  capacity.Model
	ownReport time.Duration // until which standard metrics of it do not count

	by        uint64 // the principal that told of it first
	announced bool   // by discovery

	latch    latch
	verdict  signal.State // as of the last look
	turned   bool         // the verdict turned since it was published
	released published    // what was published last
	written  bool         // something was
	looked   int64        // second of the last comparison with what was published
}

// latch keeps a verdict beyond the traffic that led to it.
type latch struct {
	state    signal.State
	episode  uint32
	since    time.Duration
	hold     time.Duration
	evidence signal.Evidence // that condemned; in state Bad only
}

// evidence is what callers saw over the shortest of the last 1 to 10 s that holds
// enough requests, or over the last 10 s when none does. Seconds before since do
// not count.
// The callers are put into room.
func (in *instance) evidence(now time.Duration, since int64, room []signal.Caller) signal.Evidence {
	current, requests, length := secondOf(now), uint64(0), int64(1)
	for ; ; length++ {
		if s := current - length + 1; s >= since {
			if at := &in.history.second[mod(s)]; at.at == s {
				requests += at.seen
			}
		}
		if requests >= signal.MinRequests || length == seconds {
			break
		}
	}
	return in.over(current, length, since, room)
}

// since is the first second that says something new after the latch's state began:
// measurements arrive up to a second after they were taken, so the second of the
// change and the one after it still tell of before.
func (l *latch) freshFrom() int64 { return secondOf(l.since) + 2 }

// look moves the latch on, notes whether the verdict turned, and returns the evidence
// that the verdict follows from. It is valid until the next look.
func (in *instance) look(now, base time.Duration) signal.Evidence {
	l := &in.latch
	e := in.evidence(now, in.since(), in.room)
	in.room = e.Callers
	switch l.state {
	case signal.Good:
		if signal.Judge(&e, signal.MinRequests).State == signal.Bad {
			in.condemn(now, base, e)
		}
	case signal.Bad:
		switch {
		case e.Requests >= signal.MinRequests && signal.Judge(&e, signal.MinRequests).State != signal.Bad:
			*l = latch{} // many callers found it well again
		case e.Requests >= signal.MinRequests:
			l.since, l.evidence = now, keep(e) // it still gets traffic, and is still bad
		case now-l.since >= l.hold:
			l.state, l.since, l.evidence = signal.Probation, now, signal.Evidence{}
		}
	case signal.Probation:
		switch {
		case signal.Judge(&e, 1).State == signal.Bad:
			in.condemn(now, base, e)
		case e.Requests-min(e.Requests, e.Failures) >= signal.MinRequests, now-l.since >= l.hold:
			*l = latch{}
		}
	}
	if l.state != in.verdict {
		in.verdict, in.turned = l.state, true
	}
	in.forgetCallers(now)
	if l.state == signal.Bad {
		return l.evidence
	}
	return e
}

// keep copies evidence that outlives the look.
func keep(e signal.Evidence) signal.Evidence {
	e.Callers = slices.Clone(e.Callers)
	return e
}

// condemn latches evidence, as the next episode.
func (in *instance) condemn(now, base time.Duration, e signal.Evidence) {
	episode := in.latch.episode + 1
	in.latch = latch{state: signal.Bad, episode: episode, since: now, hold: signal.Hold(base, episode), evidence: keep(e)}
}

// since is the first second whose evidence counts in the latch's state.
func (in *instance) since() int64 {
	switch in.latch.state {
	case signal.Bad:
		return in.latch.freshFrom()
	case signal.Probation:
		return secondOf(in.latch.since) + 1
	}
	return 0
}

// signal returns what is known, in the form that is published.
func (in *instance) signal(now time.Duration) signal.Instance {
	out := signal.Instance{ID: in.id, Variant: in.variant, Zone: in.zone, Windows: in.history.windows(now)}
	can := in.capacity.Estimate(now)
	out.ServiceDemand, out.Parallelism = can.Demand, can.Parallelism
	switch l := &in.latch; l.state {
	case signal.Bad:
		out.Evidence = l.evidence
		out.Latch = signal.Latch{State: l.state, Episode: l.episode, Age: now - l.since, Hold: l.hold}
	case signal.Probation:
		out.Evidence = in.evidence(now, in.since(), nil)
		out.Latch = signal.Latch{State: l.state, Episode: l.episode, Age: now - l.since, Hold: l.hold}
	default:
		out.Evidence = in.evidence(now, in.since(), nil)
	}
	return out
}
