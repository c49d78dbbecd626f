// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"time"

	"github.com/otelplat/platform/coord/signal"
)

const (
	seconds = 10 // one-second slots: windows of 1 and 10 s, and the evidence
	tens    = 6  // ten-second slots: the window of 60 s
)

// slot counts what came in during one second, or ten.
type slot struct {
	at                                  int64 // which second, or ten seconds
	requests, errors, timeouts, refused uint64
	busy                                float64
	latency                             signal.Histogram
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

// record takes in one measurement.
func (s *slot) record(m *Measurement) {
	s.busy += m.Sum
	if m.Outcome == Cancelled {
		return // took time, but says nothing of the instance
	}
	s.requests += m.Count
	switch m.Outcome {
	case OK:
		s.latency.Sum += m.Sum
		for i, n := range m.Buckets {
			s.latency.AddBucket(m.Offset+int32(i), m.Scale, n)
		}
	case Error:
		s.errors += m.Count
	case Timeout:
		s.timeouts += m.Count
	case Refused:
		s.refused += m.Count
	}
}

// history is what all callers of an instance measured, by time.
type history struct {
	second [seconds + 1]slot // one more: the current second is not complete
	ten    [tens + 1]slot
}

func secondOf(now time.Duration) int64 { return int64(now / time.Second) }

func (h *history) record(now time.Duration, m *Measurement) {
	s := secondOf(now)
	at := &h.second[s%(seconds+1)]
	if at.at != s {
		at.reset(s)
	}
	at.record(m)
	t := s / 10
	long := &h.ten[t%(tens+1)]
	if long.at != t {
		long.reset(t)
	}
	long.record(m)
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
