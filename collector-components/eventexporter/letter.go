// SPDX-License-Identifier: Apache-2.0

package eventexporter

import (
	"encoding/json"
	"fmt"

	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// document is the data of the CloudEvent that a record becomes.
type document struct {
	Severity   string         `json:"severity,omitempty"`
	Scope      string         `json:"scope,omitempty"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Body       any            `json:"body,omitempty"`
}

// letterOf makes an event of a record with an event name: the one that was published, if
// it is such a record, and else one whose data says what the record does, in JSON. One with
// more than maxData bytes of data is an error.
func letterOf(resource pcommon.Resource, scope pcommon.InstrumentationScope, record plog.LogRecord, maxData int) (l letter, err error) {
	if l.service, err = serviceOf(resource); err != nil {
		return l, err
	}
	if _, published := record.Attributes().Get(semconv.CloudEventID); published {
		l.event, err = parseRecord(record)
	} else {
		l.event, err = documentOf(l.service, resource, scope, record)
	}
	if err == nil && len(l.event.Data) > maxData {
		err = fmt.Errorf("event %.128q has %d bytes of data, more than %d", l.event.Type, len(l.event.Data), maxData)
	}
	return l, err
}

func documentOf(service string, resource pcommon.Resource, scope pcommon.InstrumentationScope, record plog.LogRecord) (event.Event, error) {
	d := document{Severity: record.SeverityNumber().String(), Scope: scope.Name(), Attributes: record.Attributes().AsRaw(), Body: record.Body().AsRaw()}
	if record.SeverityNumber() == plog.SeverityNumberUnspecified {
		d.Severity = record.SeverityText()
	}
	id, _ := d.Attributes[semconv.LogRecordUID].(string)
	delete(d.Attributes, semconv.LogRecordUID)
	data, err := json.Marshal(d)
	if err != nil {
		return event.Event{}, fmt.Errorf("event %.128q: %w", record.EventName(), err)
	}
	e := event.Event{ID: id, Type: record.EventName(), Time: timeOf(record), DataContentType: "application/json", Data: data, Source: "/" + service}
	if instance, ok := resource.Attributes().Get("service.instance.id"); ok {
		e.Source += "/" + instance.AsString()
	}
	if !record.TraceID().IsEmpty() && !record.SpanID().IsEmpty() {
		setExtension(&e, "traceparent", traceparent(record))
	}
	e = e.Complete(service)
	if err := e.Check(); err != nil {
		return e, fmt.Errorf("event %.128q: %w", e.Type, err)
	}
	return e, nil
}
