// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"
	"time"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"golang.org/x/time/rate"
)

const (
	scopeName = "github.com/otelplat/platform/collector-components/semconvprocessor"

	// eventRate bounds the events of findings, a second; those beyond wait in the
	// table. At the end no more than lastEvents are told of what waits.
	eventRate  = 10
	lastEvents = 500

	// looks is how often in an interval the table is asked for what is due again,
	// so that a finding is told after at most one interval and a fifth.
	looks = 5
)

// report tells what was found, until the context ends: what is new at once, what
// went on once an interval, and the coverage once an interval.
func (s *state) report(ctx context.Context) {
	defer close(s.done)
	look := time.NewTicker(s.interval / looks)
	defer look.Stop()
	limit := rate.NewLimiter(eventRate, eventRate)
	var later <-chan time.Time // more waits than the rate lets through
	for n := 0; ; {
		select {
		case <-ctx.Done():
			s.last()
			return
		case <-s.fresh:
		case <-later:
		case <-look.C:
			s.table.Due(time.Now().Add(-s.interval))
			if n++; n%looks == 0 {
				s.coverage()
			}
		}
		later = nil
		for s.table.Waiting() > 0 {
			if !limit.Allow() {
				later = time.After(time.Second / eventRate)
				break
			}
			s.tell()
		}
	}
}

// last tells what went on since it was last told.
func (s *state) last() {
	s.table.Due(time.Now())
	for n := 0; n < lastEvents && s.tell(); n++ {
	}
	if left := s.table.Waiting(); left > 0 {
		s.suppressed.Add(context.Background(), int64(left))
	}
	s.coverage()
}

var severities = [finding.Levels]log.Severity{
	finding.Information: log.SeverityInfo, finding.Improvement: log.SeverityWarn, finding.Violation: log.SeverityError,
}

// tell emits the finding that has waited longest; false when none waits.
func (s *state) tell() bool {
	e, since, ok := s.table.Next(time.Now())
	if !ok {
		return false
	}
	var r log.Record
	r.SetEventName(semconv.EventSemconvFinding)
	r.SetSeverity(severities[e.Level])
	r.SetBody(attribute.StringValue(e.Message()))
	r.AddAttributes(
		attribute.String(semconv.WeaverID, e.ID.String()),
		attribute.String(semconv.WeaverLevel, e.Level.String()),
		attribute.String(semconv.WeaverSignalType, e.Signal.String()),
		attribute.String(semconv.WeaverService, finding.Text(e.Service)),
		attribute.Int64(semconv.SemconvCount, since),
		attribute.Int64(semconv.SemconvTotal, e.Count),
		attribute.String(semconv.SemconvFirst, e.First.UTC().Format(time.RFC3339)),
		attribute.String(semconv.SemconvLast, e.Last.UTC().Format(time.RFC3339)),
	)
	sample := e.Signal.String()
	if key := e.Attribute(); key != "" {
		r.AddAttributes(attribute.String(semconv.WeaverAttribute, finding.Text(key)))
		if e.ID.OfAttribute() {
			sample = "attribute"
		}
	}
	r.AddAttributes(attribute.String(semconv.WeaverSampleType, sample))
	if name := e.SignalName(); name != "" {
		r.AddAttributes(attribute.String(semconv.WeaverSignalName, finding.Text(name)))
	}
	if advice := s.rules.Load().Advice(&e.Key); advice != "" {
		r.AddAttributes(attribute.String(semconv.WeaverNote, advice))
	}
	emit(r)
	return true
}

// coverage emits how much was checked, and how much of the registry is in use.
func (s *state) coverage() {
	var items int64
	var by [finding.Levels]int64
	for level := range by {
		by[level] = s.items[level].Load()
		items += by[level]
	}
	if items == 0 {
		return
	}
	rules := s.rules.Load()
	attributes, metrics, events := rules.Coverage()
	var r log.Record
	r.SetEventName(semconv.EventSemconvCoverage)
	r.SetSeverity(log.SeverityInfo)
	r.AddAttributes(
		attribute.String(semconv.SemconvRegistry, rules.Version),
		attribute.Int64(semconv.SemconvItems, items),
		attribute.Int64(semconv.SemconvClean, by[finding.Off]),
		attribute.Int64(semconv.SemconvInform, by[finding.Information]),
		attribute.Int64(semconv.SemconvImprove, by[finding.Improvement]),
		attribute.Int64(semconv.SemconvViolations, by[finding.Violation]),
		attribute.Int64(semconv.SemconvHeld, s.table.Held()),
		attribute.Float64(semconv.SemconvAttributes, attributes.Ratio()),
		attribute.Float64(semconv.SemconvMetrics, metrics.Ratio()),
		attribute.Float64(semconv.SemconvEvents, events.Ratio()),
	)
	emit(r)
}

func emit(r log.Record) {
	otel.GetLoggerProvider().Logger(scopeName).Emit(context.Background(), r)
}
