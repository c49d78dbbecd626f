// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"math"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

const (
	seconds = 10 // one-second slots: windows of 1 and 10 s, and the evidence
	tens    = 6  // ten-second slots: the window of 60 s

	// fine is how much time a measurement may be about and still tell of the last
	// seconds. What is about more counts in the window of 60 s only, and as evidence: how
	// it was spread over its time nobody knows.
	fine = 2 * time.Second
)

// slot counts what came in during one second, or ten.
type slot struct {
	at                                  int64 // which second, or ten seconds
	requests, errors, timeouts, refused uint64
	seen, failed                        uint64 // evidence: of what came in, whatever time it was about
	busy                                float64
	latency                             signal.Histogram
	timed                               uint64 // values of latency
}

func (s *slot) reset(at int64) {
	s.latency.Reset()
	*s = slot{at: at, latency: s.latency}
}

func (s *slot) addTo(w *signal.Window) {
	w.Requests += s.requests
	w.Errors += s.errors
	w.Timeouts += s.timeouts
	w.Refused += s.refused
	w.Busy += s.busy
	w.Latency.Add(&s.latency)
}

// record takes in one measurement; untimed, its latency is left out.
func (s *slot) record(m *Measurement, untimed bool) {
	s.busy += m.Sum
	if m.Outcome == Cancelled {
		return // took time, but says nothing of the instance
	}
	s.requests += m.Count
	switch m.Outcome {
	case OK:
		if !untimed {
			s.times(m)
		}
	case Error:
		s.errors += m.Count
	case Timeout:
		s.timeouts += m.Count
	case Refused:
		s.refused += m.Count
	}
}

// times records how long successful attempts took. A measurement without buckets counts
// requests only: a distribution cannot be made of its sum.
func (s *slot) times(m *Measurement) {
	switch {
	case m.Exact:
		s.timed += m.Count
		s.latency.Sum += m.Sum
		s.latency.AddBucket(m.Offset, signal.Scale, m.Count)
	case m.Zero > 0 || len(m.Buckets) > 0:
		s.latency.Sum += m.Sum
		s.latency.AddBucket(math.MinInt32, signal.Scale, m.Zero)
		s.timed += m.Zero
		for i, n := range m.Buckets {
			s.latency.AddBucket(m.Offset+int32(i), m.Scale, n)
			s.timed += n
		}
	}
}

// history is what all callers of an instance measured, by time.
type history struct {
	second [seconds + 1]slot // one more: the current second is not complete
	ten    [tens + 1]slot

	untimed bool // latencies are not kept
}

func secondOf(now time.Duration) int64 { return int64(now / time.Second) }

func (h *history) record(now time.Duration, m *Measurement) {
	s := secondOf(now)
	at := &h.second[s%(seconds+1)]
	if at.at != s {
		at.reset(s)
	}
	if m.Covers <= fine {
		at.record(m, h.untimed)
	}
	if m.Outcome != Cancelled {
		at.seen += m.seen()
		if m.Outcome != OK {
			at.failed += m.seen()
		}
	}
	t := s / 10
	long := &h.ten[t%(tens+1)]
	if long.at != t {
		long.reset(t)
	}
	long.record(m, h.untimed)
}

// inFlight returns how many requests the callers had in flight on average over a time that
// ends now, 0 when they do not say.
func (h *history) inFlight(now, covers time.Duration) float64 {
	s, busy := secondOf(now), 0.0
	if covers <= fine {
		if at := &h.second[mod(s-1)]; at.at == s-1 {
			return at.busy
		}
		return 0
	}
	for i := range h.ten {
		if age := s/10 - h.ten[i].at; age >= 1 && age < tens {
			busy += h.ten[i].busy
		}
	}
	return busy / (10 * (tens - 1))
}

// summary returns what decides whether readers should be told: requests, failures, mean
// latency and number of successes, over the last 10 s, or over 60 when long.
func (h *history) summary(now time.Duration, long bool) (requests, failures uint64, latency float64, successes uint64) {
	add := func(at *slot) {
		requests += at.requests
		failures += at.errors + at.timeouts + at.refused
		latency += at.latency.Sum
		successes += at.timed
	}
	s := secondOf(now)
	for i := range h.second {
		if age := s - h.second[i].at; !long && age >= 1 && age <= seconds {
			add(&h.second[i])
		}
	}
	for i := range h.ten {
		if long && s/10-h.ten[i].at < tens {
			add(&h.ten[i])
		}
	}
	if successes > 0 {
		latency /= float64(successes)
	}
	return requests, failures, latency, successes
}

// windows returns the last complete second, ten seconds, and 50 to 60 s, those
// that are empty left out.
func (h *history) windows(now time.Duration) []signal.Window {
	s := secondOf(now)
	one, ten, sixty := signal.Window{Seconds: 1}, signal.Window{Seconds: 10}, signal.Window{Seconds: 60}
	for i := range h.second {
		at := &h.second[i]
		if age := s - at.at; age == 1 {
			at.addTo(&one)
		}
		if age := s - at.at; age >= 1 && age <= seconds {
			at.addTo(&ten)
		}
	}
	for i := range h.ten {
		if at := &h.ten[i]; s/10-at.at < tens {
			at.addTo(&sixty)
		}
	}
	var list []signal.Window
	for _, w := range []signal.Window{one, ten, sixty} {
		if w.Requests > 0 || w.Busy > 0 {
			list = append(list, w)
		}
	}
	return list
}

// caller is one principal's experience of an instance.
type caller struct {
	hash  uint64
	slots [seconds + 1]callerSlot
	last  int64 // second of the newest slot
}

type callerSlot struct {
	at                 int64
	requests, failures uint64
	ejected            bool
}

func (c *caller) slot(now time.Duration) *callerSlot {
	s := secondOf(now)
	at := &c.slots[s%(seconds+1)]
	if at.at != s {
		*at = callerSlot{at: s}
	}
	c.last = s
	return at
}
