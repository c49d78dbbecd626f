// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/endpoint"
)

// memoSize is how many instances are remembered between two looks: a caller calls few, and
// many times. A power of two.
const memoSize = 64

// remembered is where an announced instance is, and that no better source of a caller
// tells of it.
type remembered struct {
	known   *endpoint.Instance
	service *service
	in      *instance
	caller  uint64
	at      time.Duration
}

// Span is one call of an announced instance, with what its client span says.
type Span struct {
	Caller  uint64
	Known   *endpoint.Instance
	Outcome Outcome
	Bucket  int32   // of signal.Scale
	Count   uint64  // that it stands for
	Sum     float64 // seconds, of all of those
}

// RecordSpan is [Aggregate.Record] for a span.
func (a *Aggregate) RecordSpan(now time.Duration, s *Span) error {
	m := Measurement{Outcome: s.Outcome, Count: s.Count, Sum: s.Sum, Offset: s.Bucket, Exact: true, Source: Spans, Seen: 1}
	r := &a.memo[s.Known.Number%memoSize]
	if r.known == s.Known && r.caller == s.Caller && r.at == now {
		r.in.record(now, s.Caller, &m)
		return a.recordScopes(now, s.Caller, r.service, &m)
	}
	target := Target{s.Known.Service, s.Known.ID, s.Known.Variant, s.Known.Zone}
	if err := a.Record(now, s.Caller, target, &m); err != nil {
		return err
	}
	of := a.services[target.Service]
	*r = remembered{s.Known, of, of.instances[target.Instance], s.Caller, now}
	return nil
}
