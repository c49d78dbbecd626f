// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Resource applies the rule's resource.* fields, for all items of the resource at
// once: what one item's rule takes from it is taken from its neighbours' too. Like
// the others below it returns how many values were changed or removed.
func (r *Rule) Resource(res pcommon.Resource) int {
	return r.entries(res.Attributes(), &r.resource) + r.entities(res)
}

// Scope applies the rule's scope.* fields, for all items of the scope.
func (r *Rule) Scope(s pcommon.InstrumentationScope) int {
	return r.entries(s.Attributes(), &r.scope) + r.scopeNames(s)
}

// Span applies the rule to a span, its events and its links.
func (r *Rule) Span(span ptrace.Span) int {
	n := r.entries(span.Attributes(), &r.attributes) + r.traceStates(span)
	if r.spanName {
		n += r.stringField(span.Name, span.SetName)
	}
	if r.status {
		n += r.stringField(span.Status().Message, span.Status().SetMessage)
	}
	if !r.events.empty() || r.eventName {
		for i := range span.Events().Len() {
			e := span.Events().At(i)
			n += r.entries(e.Attributes(), &r.events)
			if r.eventName {
				n += r.stringField(e.Name, e.SetName)
			}
		}
	}
	if !r.links.empty() {
		for i := range span.Links().Len() {
			n += r.entries(span.Links().At(i).Attributes(), &r.links)
		}
	}
	return n
}

// Log applies the rule to a log record.
func (r *Rule) Log(record plog.LogRecord) int {
	n := r.entries(record.Attributes(), &r.attributes)
	if r.everything {
		n += r.stringField(record.SeverityText, record.SetSeverityText)
	}
	if r.eventName {
		n += r.stringField(record.EventName, record.SetEventName)
	}
	return n + r.bodyOf(record.Body())
}

func (r *Rule) bodyOf(body pcommon.Value) int {
	switch {
	case r.body.empty() || body.Type() == pcommon.ValueTypeEmpty:
		return 0
	case r.body.whole:
		n, remove := r.value(body)
		if remove {
			pcommon.NewValueEmpty().CopyTo(body)
		}
		return n
	case body.Type() == pcommon.ValueTypeMap:
		return r.entries(body.Map(), &r.body)
	}
	return 0
}

// Metric applies the rule to the attributes of all data points of a metric, to
// those of their exemplars, and to the metric's metadata.
func (r *Rule) Metric(m pmetric.Metric) int {
	if r.attributes.empty() {
		return 0
	}
	n := r.entries(m.Metadata(), &r.attributes) + r.metricNames(m)
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		n += r.numbers(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		n += r.numbers(m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		for i := range m.Histogram().DataPoints().Len() {
			p := m.Histogram().DataPoints().At(i)
			n += r.entries(p.Attributes(), &r.attributes) + r.exemplars(p.Exemplars())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for i := range m.ExponentialHistogram().DataPoints().Len() {
			p := m.ExponentialHistogram().DataPoints().At(i)
			n += r.entries(p.Attributes(), &r.attributes) + r.exemplars(p.Exemplars())
		}
	case pmetric.MetricTypeSummary:
		for i := range m.Summary().DataPoints().Len() {
			n += r.entries(m.Summary().DataPoints().At(i).Attributes(), &r.attributes)
		}
	case pmetric.MetricTypeEmpty:
	}
	return n
}

func (r *Rule) numbers(points pmetric.NumberDataPointSlice) int {
	n := 0
	for i := range points.Len() {
		p := points.At(i)
		n += r.entries(p.Attributes(), &r.attributes) + r.exemplars(p.Exemplars())
	}
	return n
}

func (r *Rule) exemplars(list pmetric.ExemplarSlice) int {
	n := 0
	for i := range list.Len() {
		n += r.entries(list.At(i).FilteredAttributes(), &r.attributes)
	}
	return n
}
