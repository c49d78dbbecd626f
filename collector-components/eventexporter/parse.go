// SPDX-License-Identifier: Apache-2.0

package eventexporter

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// request is the events of one service.
type request struct {
	service string
	events  []event.Event
}

// parse reads all events, or says what is none.
func parse(ld plog.Logs) ([]request, error) {
	var requests []request
	for _, rl := range ld.ResourceLogs().All() {
		service, err := serviceOf(rl.Resource())
		if err != nil {
			return nil, err
		}
		r := request{service: service}
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				e, err := parseRecord(record)
				if err != nil {
					return nil, err
				}
				r.events = append(r.events, e)
			}
		}
		if len(r.events) > 0 {
			requests = append(requests, r)
		}
	}
	return requests, nil
}

// serviceOf is who publishes.
func serviceOf(resource pcommon.Resource) (string, error) {
	name, ok := resource.Attributes().Get("service.name")
	if !ok || name.AsString() == "" || len(name.AsString()) > event.MaxType {
		return "", fmt.Errorf("the resource has no service.name of 1 to %d bytes", event.MaxType)
	}
	return name.AsString(), nil
}

// timeOf is when it happened, or else when that was seen.
func timeOf(record plog.LogRecord) time.Time {
	if record.Timestamp() == 0 {
		return record.ObservedTimestamp().AsTime()
	}
	return record.Timestamp().AsTime()
}

// parseRecord is the reverse of what event.Client sends.
func parseRecord(record plog.LogRecord) (event.Event, error) {
	e := event.Event{Type: record.EventName(), Time: timeOf(record)}
	if e.Type == "" {
		return e, errors.New("a log record without an event name is no event")
	}
	for name, value := range record.Attributes().All() {
		text := value.AsString()
		switch name {
		case semconv.CloudEventID:
			e.ID = text
		case semconv.CloudEventSource:
			e.Source = text
		case semconv.CloudEventSubject:
			e.Subject = text
		case semconv.CloudEventDataContentType:
			e.DataContentType = text
		case semconv.CloudEventDataSchema:
			e.DataSchema = text
		case semconv.CloudEventType:
			if text != e.Type {
				return e, fmt.Errorf("event %.128q has the type %.128q", e.Type, text)
			}
		case semconv.CloudEventSpecVersion:
			if text != event.SpecVersion {
				return e, fmt.Errorf("event %.128q has version %.16q of CloudEvents, want %s", e.Type, text, event.SpecVersion)
			}
		default:
			if extension, ok := strings.CutPrefix(name, semconv.CloudEventExtension); ok {
				setExtension(&e, extension, text)
			}
		}
	}
	if _, traced := e.Extensions["traceparent"]; !traced && !record.TraceID().IsEmpty() && !record.SpanID().IsEmpty() {
		setExtension(&e, "traceparent", traceparent(record))
	}
	switch body := record.Body(); body.Type() {
	case pcommon.ValueTypeEmpty:
	case pcommon.ValueTypeBytes:
		e.Data = body.Bytes().AsRaw()
	case pcommon.ValueTypeStr:
		e.Data = []byte(body.Str())
	default:
		return e, fmt.Errorf("event %.128q has a body of type %s, want bytes or a string", e.Type, body.Type())
	}
	if err := e.Check(); err != nil {
		return e, fmt.Errorf("event %.128q: %w", e.Type, err)
	}
	return e, nil
}

func setExtension(e *event.Event, name, value string) {
	if e.Extensions == nil {
		e.Extensions = make(map[string]string)
	}
	e.Extensions[name] = value
}

// traceparent writes the record's trace as W3C trace context does.
func traceparent(record plog.LogRecord) string {
	trace, span := record.TraceID(), record.SpanID()
	flags := "00"
	if record.Flags().IsSampled() {
		flags = "01"
	}
	return "00-" + hex.EncodeToString(trace[:]) + "-" + hex.EncodeToString(span[:]) + "-" + flags
}
