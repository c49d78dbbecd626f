// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// item is a span, a metric or a log record.
type item interface {
	// document returns what a rule sees of it.
	document() document

	// field appends one field of the document, but attributes, to a key; a field
	// that the document does not have, and so is the same for all, appends nothing.
	field(name string, key []byte) []byte

	// attributes returns those of the document; an empty map when it has none.
	attributes() pcommon.Map

	// redact applies a rule.
	redact(*redact.Rule) int
}

type spanItem struct{ ptrace.Span }

func (s spanItem) document() document           { return spanDocument(s.Span) }
func (s spanItem) attributes() pcommon.Map      { return s.Attributes() }
func (s spanItem) redact(rule *redact.Rule) int { return rule.Span(s.Span) }

func (s spanItem) field(name string, key []byte) []byte {
	switch name {
	case "name":
		return appendText(key, s.Name())
	case "kind":
		return append(key, byte(s.Kind()))
	case "status":
		return appendText(append(key, byte(s.Status().Code())), s.Status().Message())
	}
	return key
}

type logItem struct{ plog.LogRecord }

func (l logItem) document() document           { return logDocument(l.LogRecord) }
func (l logItem) attributes() pcommon.Map      { return l.Attributes() }
func (l logItem) redact(rule *redact.Rule) int { return rule.Log(l.LogRecord) }

func (l logItem) field(name string, key []byte) []byte {
	switch name {
	case "body":
		return appendValue(key, l.Body())
	case "severity_text":
		return appendText(key, l.SeverityText())
	case "severity_number":
		return appendInt(key, int64(l.SeverityNumber()))
	case "event_name":
		return appendText(key, l.EventName())
	}
	return key
}

type metricItem struct{ pmetric.Metric }

func (m metricItem) document() document           { return metricDocument(m.Metric) }
func (m metricItem) attributes() pcommon.Map      { return pcommon.NewMap() }
func (m metricItem) redact(rule *redact.Rule) int { return rule.Metric(m.Metric) }

func (m metricItem) field(name string, key []byte) []byte {
	switch name {
	case "name":
		return appendText(key, m.Name())
	case "type":
		return append(key, byte(m.Type()))
	}
	return key
}
