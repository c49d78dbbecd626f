// SPDX-License-Identifier: Apache-2.0

package ours

import (
	"slices"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// record is what a collector keeps of a replica's callers: evidence of the last ten
// periods, and the latch that outlasts it (docs/signals.md; the collector's own is
// otelplat_signal's, which is of seconds).
type record struct {
	periods [][]signal.Caller // the last first
	ejected map[int]bool      // by client, in this period
	state   signal.State
	episode uint32
	since   time.Duration
	hold    time.Duration
	against signal.Evidence // which condemned it
}

const maxPeriods = 10

// add takes in what the callers saw in a period, and moves the latch on.
func (r *record) add(now time.Duration, callers []sim.Caller) {
	var period []signal.Caller
	for _, c := range callers {
		if c.Requests > 0 || r.ejected[c.Client] {
			period = append(period, signal.Caller{
				Hash: uint64(c.Client), Requests: c.Requests, Failures: c.Failures, Ejected: r.ejected[c.Client], //nolint:gosec // not negative
			})
		}
	}
	clear(r.ejected)
	r.periods = slices.Insert(r.periods, 0, period)
	r.periods = r.periods[:min(len(r.periods), maxPeriods)]
	fresh := r.evidence()
	switch r.state {
	case signal.Good:
		if signal.Judge(&fresh, signal.MinRequests).State == signal.Bad {
			r.condemn(now, fresh)
		}
	case signal.Bad:
		switch enough := fresh.Requests >= signal.MinRequests; {
		case enough && signal.Judge(&fresh, signal.MinRequests).State != signal.Bad:
			r.forgive()
		case enough:
			r.since, r.against = now, fresh
		case now-r.since >= r.hold:
			r.state, r.since = signal.Probation, now
			r.periods = nil
		}
	case signal.Probation:
		switch successes := fresh.Requests - min(fresh.Requests, fresh.Failures); {
		case signal.Judge(&fresh, 1).State == signal.Bad:
			r.condemn(now, fresh)
		case successes >= signal.MinRequests, now-r.since >= r.hold:
			r.forgive()
		}
	}
}

func (r *record) condemn(now time.Duration, e signal.Evidence) {
	r.episode++
	r.state, r.since, r.hold, r.against = signal.Bad, now, signal.Hold(balance.DefaultBase, r.episode), e
	r.periods = nil
}

func (r *record) forgive() {
	r.state, r.episode, r.periods = signal.Good, 0, nil
}

// evidence is of the fewest of the last periods that hold enough requests to judge by.
func (r *record) evidence() signal.Evidence {
	e := signal.Evidence{Seconds: 1}
	sum := map[uint64]signal.Caller{}
	for i, period := range r.periods {
		e.Seconds = uint32(i + 1) //nolint:gosec // at most ten
		for _, c := range period {
			e.Requests += c.Requests
			e.Failures += c.Failures
			s := sum[c.Hash]
			s.Requests += c.Requests
			s.Failures += c.Failures
			s.Hash, s.Ejected = c.Hash, s.Ejected || c.Ejected
			sum[c.Hash] = s
		}
		if e.Requests >= signal.MinRequests {
			break
		}
	}
	for _, c := range sum {
		e.Callers = append(e.Callers, c)
	}
	slices.SortFunc(e.Callers, func(a, b signal.Caller) int { return int(a.Hash) - int(b.Hash) }) //nolint:gosec // small
	e.Callers = e.Callers[:min(len(e.Callers), signal.MaxCallers)]
	return e
}

// put writes what readers hear of it.
func (r *record) put(now time.Duration, in *signal.Instance) {
	in.Evidence = r.against
	if r.state != signal.Bad {
		in.Evidence = r.evidence()
	}
	if r.state != signal.Good {
		in.Latch = signal.Latch{State: r.state, Episode: r.episode, Age: now - r.since, Hold: r.hold}
	}
}
