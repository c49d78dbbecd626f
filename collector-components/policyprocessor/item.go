// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"slices"

	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"github.com/otelplat/platform/policy/compile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// item is a span, a metric or a log record. A place has one of each, which stands for
// its items in turn.
type item interface {
	// document returns what a rule sees of it.
	document() document

	// field appends one field of the document, but attributes, to a key; a field
	// that the document does not have, and so is the same for all, appends nothing.
	field(name string, key []byte) []byte

	// names are those of the document's fields.
	names() []string

	// member returns one of them for a native evaluation, but attributes and status,
	// which are objects; undefined for a name that is none.
	member(name string) compile.Value

	// attributes returns those of the document; an empty map when it has none.
	attributes() pcommon.Map

	// redact applies a rule.
	redact(*redact.Rule) int
}

type spanItem struct{ ptrace.Span }

func (s *spanItem) document() document           { return spanDocument(s.Span) }
func (s *spanItem) attributes() pcommon.Map      { return s.Attributes() }
func (s *spanItem) redact(rule *redact.Rule) int { return rule.Span(s.Span) }

func (s *spanItem) field(name string, key []byte) []byte {
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

var spanFields = []string{"attributes", "kind", "name", "status"}

func (s *spanItem) names() []string { return spanFields }

func (s *spanItem) member(name string) compile.Value {
	switch name {
	case "name":
		return compile.Text(s.Name())
	case "kind":
		return compile.Text(spanKind(s.Kind()))
	}
	return compile.Value{}
}

type logItem struct{ plog.LogRecord }

func (l *logItem) document() document           { return logDocument(l.LogRecord) }
func (l *logItem) attributes() pcommon.Map      { return l.Attributes() }
func (l *logItem) redact(rule *redact.Rule) int { return rule.Log(l.LogRecord) }

func (l *logItem) field(name string, key []byte) []byte {
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

var logFields = []string{"attributes", "body", "event_name", "severity_number", "severity_text"}

func (l *logItem) names() []string { return logFields }

func (l *logItem) member(name string) compile.Value {
	switch name {
	case "body":
		return compile.Text(l.Body().AsString())
	case "severity_text":
		return compile.Text(l.SeverityText())
	case "severity_number":
		return compile.Integer(int64(l.SeverityNumber()))
	case "event_name":
		return compile.Text(l.EventName())
	}
	return compile.Value{}
}

// none are the attributes of what has none; nobody writes to it.
var none = pcommon.NewMap()

type metricItem struct{ pmetric.Metric }

func (m *metricItem) document() document           { return metricDocument(m.Metric) }
func (m *metricItem) attributes() pcommon.Map      { return none }
func (m *metricItem) redact(rule *redact.Rule) int { return rule.Metric(m.Metric) }

func (m *metricItem) field(name string, key []byte) []byte {
	switch name {
	case "name":
		return appendText(key, m.Name())
	case "type":
		return append(key, byte(m.Type()))
	}
	return key
}

var metricFields = []string{"name", "type"}

func (m *metricItem) names() []string { return metricFields }

func (m *metricItem) member(name string) compile.Value {
	switch name {
	case "name":
		return compile.Text(m.Name())
	case "type":
		return compile.Text(metricType(m.Type()))
	}
	return compile.Value{}
}

// has says whether an item's document has a field.
func has(it item, name string) bool { return slices.Contains(it.names(), name) }
