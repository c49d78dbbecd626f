// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Resource applies the rules' resource.* fields, for all items of the resource at once:
// what one item's rule takes from it is taken from its neighbours' too. Like the others
// below it adds, by rule, how many values were changed or removed.
func (s *Set) Resource(res pcommon.Resource, counts []int) {
	s.entries(res.Attributes(), ofResource, counts)
	s.each(counts, func(r *Rule) int { return r.entities(res) })
}

// Scope applies the rules' scope.* fields, for all items of the scope.
func (s *Set) Scope(scope pcommon.InstrumentationScope, counts []int) {
	s.entries(scope.Attributes(), ofScope, counts)
	s.each(counts, func(r *Rule) int { return r.scopeNames(scope) })
}

// Span applies the rules to a span, its events and its links.
func (s *Set) Span(span ptrace.Span, counts []int) {
	s.entries(span.Attributes(), ofAttributes, counts)
	for i, r := range s.rules {
		if r.spanName {
			counts[i] += r.stringField(span.Name, span.SetName)
		}
		if r.status {
			counts[i] += r.stringField(span.Status().Message, span.Status().SetMessage)
		}
		counts[i] += r.traceStates(span)
	}
	for _, e := range span.Events().All() {
		s.entries(e.Attributes(), ofEvents, counts)
		for i, r := range s.rules {
			if r.eventName {
				counts[i] += r.stringField(e.Name, e.SetName)
			}
		}
	}
	for _, l := range span.Links().All() {
		s.entries(l.Attributes(), ofLinks, counts)
	}
}

// Log applies the rules to a log record.
func (s *Set) Log(record plog.LogRecord, counts []int) {
	s.entries(record.Attributes(), ofAttributes, counts)
	for i, r := range s.rules {
		if r.everything {
			counts[i] += r.stringField(record.SeverityText, record.SetSeverityText)
		}
		if r.eventName {
			counts[i] += r.stringField(record.EventName, record.SetEventName)
		}
		if r.wholeBody && record.Body().Type() != pcommon.ValueTypeEmpty {
			n, remove := r.value(record.Body())
			if counts[i] += n; remove {
				pcommon.NewValueEmpty().CopyTo(record.Body())
			}
		}
	}
	if record.Body().Type() == pcommon.ValueTypeMap {
		s.entries(record.Body().Map(), ofBody, counts)
	}
}

// Metric applies the rules to the attributes of all data points of a metric, to those of
// their exemplars, and to the metric's metadata.
func (s *Set) Metric(m pmetric.Metric, counts []int) {
	s.entries(m.Metadata(), ofAttributes, counts)
	s.each(counts, func(r *Rule) int { return r.metricNames(m) })
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		s.numbers(m.Gauge().DataPoints(), counts)
	case pmetric.MetricTypeSum:
		s.numbers(m.Sum().DataPoints(), counts)
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			s.entries(p.Attributes(), ofAttributes, counts)
			s.exemplars(p.Exemplars(), counts)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			s.entries(p.Attributes(), ofAttributes, counts)
			s.exemplars(p.Exemplars(), counts)
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			s.entries(p.Attributes(), ofAttributes, counts)
		}
	case pmetric.MetricTypeEmpty:
	}
}

func (s *Set) numbers(points pmetric.NumberDataPointSlice, counts []int) {
	for _, p := range points.All() {
		s.entries(p.Attributes(), ofAttributes, counts)
		s.exemplars(p.Exemplars(), counts)
	}
}

func (s *Set) exemplars(list pmetric.ExemplarSlice, counts []int) {
	for _, e := range list.All() {
		s.entries(e.FilteredAttributes(), ofAttributes, counts)
	}
}
