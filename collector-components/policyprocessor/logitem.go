// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"math/rand/v2"

	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/setting"
	"github.com/otelplat/platform/policy/compile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

type logItem struct{ plog.LogRecord }

var logFields = []string{"attributes", "body", "body_text", "event_name", "severity_number", "severity_text"}

func (l *logItem) names() []string                    { return logFields }
func (l *logItem) attributes() pcommon.Map            { return l.Attributes() }
func (l *logItem) notes() pcommon.Map                 { return l.Attributes() }
func (l *logItem) redact(r *redact.Set, counts []int) { r.Log(l.LogRecord, counts) }
func (l *logItem) assign(f *setting.Fields) int       { return f.Log(l.LogRecord) }

func (l *logItem) value(name string) any {
	switch name {
	case "body":
		return plain(l.Body())
	case "body_text":
		return l.Body().AsString()
	case "severity_text":
		return l.SeverityText()
	case "severity_number":
		return int64(l.SeverityNumber())
	case "event_name":
		return l.EventName()
	case "attributes":
		return plainMap(l.Attributes())
	}
	return nil
}

func (l *logItem) field(name string, key []byte) []byte {
	switch name {
	case "body", "body_text":
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

func (l *logItem) member(name string) compile.Value {
	switch name {
	case "body":
		return native(l.Body())
	case "body_text":
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

// samplingThreshold is the attribute of a log record that has what "th" in the
// tracestate is to a span, as the collector's probabilistic sampler writes it.
const samplingThreshold = "sampling.threshold"

// sample goes by the trace that a record belongs to, so that the records of a trace stay
// together and with its spans; records without one are chosen at random.
func (l *logItem) sample(threshold uint64) (keep bool) {
	if v, ok := l.Attributes().Get(samplingThreshold); ok {
		if had, _, _, _ := tracestate.Parse("ot=th:" + v.AsString()); had >= threshold {
			return true
		}
	}
	random := rand.Uint64() & (tracestate.Never - 1)
	if !l.TraceID().IsEmpty() {
		random = tracestate.Randomness(l.TraceID())
	}
	if random < threshold {
		return false
	}
	if threshold > 0 {
		l.Attributes().PutStr(samplingThreshold, tracestate.WithThreshold("", threshold)[len("ot=th:"):])
	}
	return true
}
