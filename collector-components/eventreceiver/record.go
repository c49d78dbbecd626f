// SPDX-License-Identifier: Apache-2.0

package eventreceiver

import (
	"context"
	"time"

	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"
)

// scope is who emitted.
type scope struct{ name, version, schemaURL string }

// emitted is an event on its way. Nobody changes its record.
type emitted struct {
	scope  scope
	record plog.LogRecord
}

// recordOf makes of an event what a pipeline carries.
func recordOf(ctx context.Context, r *log.Record, now time.Time) plog.LogRecord {
	to := plog.NewLogRecord()
	to.SetEventName(r.EventName())
	at := r.Timestamp()
	if at.IsZero() {
		at = now
	}
	to.SetTimestamp(pcommon.NewTimestampFromTime(at))
	to.SetObservedTimestamp(pcommon.NewTimestampFromTime(now))
	to.SetSeverityNumber(plog.SeverityNumber(r.Severity())) // both are OTLP's
	to.SetSeverityText(r.SeverityText())
	setValue(to.Body(), r.Body())
	to.Attributes().EnsureCapacity(r.AttributesLen() + 1)
	for kv := range r.WalkAttributes {
		setValue(to.Attributes().PutEmpty(string(kv.Key)), kv.Value)
	}
	if _, ok := to.Attributes().Get(semconv.LogRecordUID); !ok {
		to.Attributes().PutStr(semconv.LogRecordUID, event.NewID())
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		to.SetTraceID(pcommon.TraceID(span.TraceID()))
		to.SetSpanID(pcommon.SpanID(span.SpanID()))
		to.SetFlags(plog.DefaultLogRecordFlags.WithIsSampled(span.IsSampled()))
	}
	return to
}

// setValue copies a value; one of a type that is not known is its text.
func setValue(to pcommon.Value, v attribute.Value) {
	switch v.Type() {
	case attribute.EMPTY:
	case attribute.BOOL:
		to.SetBool(v.AsBool())
	case attribute.INT64:
		to.SetInt(v.AsInt64())
	case attribute.FLOAT64:
		to.SetDouble(v.AsFloat64())
	case attribute.STRING:
		to.SetStr(v.AsString())
	case attribute.BOOLSLICE:
		setSlice(to, v.AsBoolSlice(), pcommon.Value.SetBool)
	case attribute.INT64SLICE:
		setSlice(to, v.AsInt64Slice(), pcommon.Value.SetInt)
	case attribute.FLOAT64SLICE:
		setSlice(to, v.AsFloat64Slice(), pcommon.Value.SetDouble)
	case attribute.STRINGSLICE:
		setSlice(to, v.AsStringSlice(), pcommon.Value.SetStr)
	case attribute.BYTESLICE:
		to.SetEmptyBytes().FromRaw(v.AsByteSlice())
	case attribute.SLICE:
		setSlice(to, v.AsSlice(), setValue)
	case attribute.MAP:
		m := to.SetEmptyMap()
		for _, kv := range v.AsMap() {
			setValue(m.PutEmpty(string(kv.Key)), kv.Value)
		}
	default:
		to.SetStr(v.String())
	}
}

func setSlice[T any](to pcommon.Value, from []T, set func(pcommon.Value, T)) {
	s := to.SetEmptySlice()
	s.EnsureCapacity(len(from))
	for _, v := range from {
		set(s.AppendEmpty(), v)
	}
}

// logsOf puts events under a resource, those of one scope that follow each other together.
func logsOf(resource pcommon.Resource, events []emitted) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	resource.CopyTo(rl.Resource())
	var sl plog.ScopeLogs
	for i, e := range events {
		if i == 0 || e.scope != events[i-1].scope {
			sl = rl.ScopeLogs().AppendEmpty()
			sl.Scope().SetName(e.scope.name)
			sl.Scope().SetVersion(e.scope.version)
			sl.SetSchemaUrl(e.scope.schemaURL)
		}
		e.record.CopyTo(sl.LogRecords().AppendEmpty())
	}
	return ld
}
