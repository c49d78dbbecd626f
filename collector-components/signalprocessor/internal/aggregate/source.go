// SPDX-License-Identifier: Apache-2.0

package aggregate

import "time"

// Source is what measured an attempt, the best first. Two sources of one caller may tell
// of the same requests, so only the best counts.
type Source uint8

// The sources.
const (
	Router  Source = iota // the platform's router: each attempt, exactly, each second
	Metrics               // standard client metrics
	Spans                 // client spans
)

const (
	// preferredFor is how long a source goes before the lesser ones after it was heard,
	// beyond the time that it told of.
	preferredFor = 60 * time.Second

	// maxReporters bounds the callers of a service whose sources are remembered.
	maxReporters = 4096
)

// reporter is how long a caller's better sources go before the others, by source.
type reporter [Spans]time.Duration

// prefers reports whether a better source than this one tells of the caller's requests.
func (s *service) prefers(now time.Duration, caller uint64, source Source) bool {
	if source == Router {
		return false
	}
	r := s.reporters[caller]
	if r == nil {
		return source == Metrics && len(s.reporters) >= maxReporters // its spans could not be told to wait
	}
	for better := range source {
		if now < r[better] {
			return true
		}
	}
	return false
}

// heard remembers that a caller's source tells of the service.
func (s *service) heard(now time.Duration, caller uint64, m *Measurement) {
	if m.Source >= Spans {
		return // there is nothing lesser
	}
	r := s.reporters[caller]
	if r == nil {
		if len(s.reporters) >= maxReporters {
			return
		}
		if s.reporters == nil {
			s.reporters = make(map[uint64]*reporter)
		}
		r = &reporter{}
		s.reporters[caller] = r
	}
	r[m.Source] = now + preferredFor + m.Covers
}

// Heard takes in that a source tells of a service's requests, though it has nothing to
// say yet: the first point of a cumulative series. The service is one that discovery
// announces, which bounds their number.
func (a *Aggregate) Heard(now time.Duration, caller uint64, service string, m *Measurement) {
	if s := a.service(service); !s.prefers(now, caller, m.Source) {
		s.heard(now, caller, m)
	}
}

func (s *service) forgetReporters(now time.Duration) {
	for caller, r := range s.reporters {
		if now >= max(r[Router], r[Metrics]) {
			delete(s.reporters, caller)
		}
	}
}
