// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"cmp"
	"slices"
	"time"
)

// Fleet is what all collectors together know about one service and its instances.
// It is immutable.
type Fleet struct {
	Instances map[string]*Signal      // by instance id
	Scopes    map[string]*ScopeSignal // by route; "" is the service as a whole
}

// Signal is what all collectors together know about one instance.
type Signal struct {
	ID      string
	Variant string
	Zone    string

	Windows       []Window // ascending by Seconds
	Evidence      Evidence
	Latch         Latch // the gravest of the shares'
	Verdict       Verdict
	ServiceDemand time.Duration
	Parallelism   float64
}

// Window returns the window of the given length, nil when there is none.
func (s *Signal) Window(seconds uint32) *Window { return windowOf(s.Windows, seconds) }

func windowOf(list []Window, seconds uint32) *Window {
	for i := range list {
		if list[i].Seconds == seconds {
			return &list[i]
		}
	}
	return nil
}

// Latency returns the mean latency of successful requests over the last 10 s,
// the prior to which a router's own measurements decay; 0 when nothing is known.
func (s *Signal) Latency() time.Duration {
	w := s.Window(10)
	if w == nil {
		return 0
	}
	return time.Duration(w.Latency.Mean() * float64(time.Second))
}

// Merge returns what the shares of one service say together. The order of the
// shares does not matter. Counts, sums and histograms add; callers with the same
// hash are one caller; of all, those with the smallest hashes are kept, as each
// share kept them, so that the merged sample is the one that a single collector
// would have taken.
//
// The verdict is judged on the merged evidence, latched evidence included. Fresh
// evidence of one collector therefore outvotes what another has latched, when
// enough callers speak for the instance.
func Merge(shares []*Share) *Fleet { return DefaultThresholds().Merge(shares) }

// Merge is the function [Merge] with these thresholds.
func (t Thresholds) Merge(shares []*Share) *Fleet {
	f := &Fleet{Instances: make(map[string]*Signal)}
	for _, share := range shares {
		for i := range share.Instances {
			in := &share.Instances[i]
			s := f.Instances[in.ID]
			if s == nil {
				s = &Signal{ID: in.ID}
				f.Instances[in.ID] = s
			}
			s.add(in)
		}
		for i := range share.Scopes {
			in := &share.Scopes[i]
			s := f.Scopes[in.Route]
			if s == nil {
				if f.Scopes == nil {
					f.Scopes = make(map[string]*ScopeSignal)
				}
				s = &ScopeSignal{Route: in.Route}
				f.Scopes[in.Route] = s
			}
			s.add(in)
		}
	}
	for _, s := range f.Instances {
		s.judge(t)
	}
	for _, s := range f.Scopes {
		s.judge(t)
	}
	return f
}

func (s *Signal) add(in *Instance) {
	// Collectors may differ for the moment in which an instance's labels
	// change. The greater string wins, so that the order does not matter.
	s.Variant = max(s.Variant, in.Variant)
	s.Zone = max(s.Zone, in.Zone)
	s.ServiceDemand = max(s.ServiceDemand, in.ServiceDemand)
	s.Parallelism = max(s.Parallelism, in.Parallelism)
	for i := range in.Windows {
		s.Windows = addWindow(s.Windows, &in.Windows[i])
	}
	s.Evidence.add(&in.Evidence)
	if graver(in.Latch, s.Latch) {
		s.Latch = in.Latch
	}
}

// addWindow adds a window to those of a list that is in ascending order.
func addWindow(list []Window, w *Window) []Window {
	at, found := slices.BinarySearchFunc(list, w.Seconds, func(have Window, seconds uint32) int {
		return cmp.Compare(have.Seconds, seconds)
	})
	if !found {
		list = slices.Insert(list, at, Window{Seconds: w.Seconds})
	}
	have := &list[at]
	have.Requests += w.Requests
	have.Errors += w.Errors
	have.Timeouts += w.Timeouts
	have.Refused += w.Refused
	have.Busy += w.Busy
	have.Latency.Add(&w.Latency)
	return list
}

// add merges o into e: the union of the callers, then the smallest hashes.
func (e *Evidence) add(o *Evidence) {
	e.Seconds = max(e.Seconds, o.Seconds)
	e.Requests += o.Requests
	e.Failures += o.Failures
	if len(o.Callers) == 0 {
		return
	}
	merged := make([]Caller, 0, len(e.Callers)+len(o.Callers))
	a, b := e.Callers, o.Callers
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Hash < b[0].Hash:
			merged, a = append(merged, a[0]), a[1:]
		case len(a) == 0 || b[0].Hash < a[0].Hash:
			merged, b = append(merged, b[0]), b[1:]
		default:
			c := a[0]
			c.Requests += b[0].Requests
			c.Failures += b[0].Failures
			c.Ejected = c.Ejected || b[0].Ejected
			merged, a, b = append(merged, c), a[1:], b[1:]
		}
	}
	e.Callers = merged[:min(len(merged), MaxCallers)]
}

// graver orders latches: Bad before Probation before Good, then by episode, and
// by what is left of the hold.
func graver(a, b Latch) bool {
	rank := func(l Latch) int { return [...]int{Good: 0, Probation: 1, Bad: 2}[l.State] }
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(a.Episode, b.Episode),
		cmp.Compare(a.Hold-a.Age, b.Hold-b.Age),
		cmp.Compare(a.Hold, b.Hold),
	) > 0
}

// judge sets the verdict from the merged evidence and the gravest latch.
func (s *Signal) judge(t Thresholds) {
	minRequests := t.MinRequests
	if s.Latch.State != Good {
		minRequests = 1 // a latch was reached on full evidence; what is left of it may be one probe
	}
	s.Verdict = t.Judge(&s.Evidence, minRequests)
	if s.Verdict.State != Bad && s.Latch.State != Good && s.Evidence.Requests-min(s.Evidence.Requests, s.Evidence.Failures) < t.MinRequests {
		s.Verdict.State = Probation
	}
}
