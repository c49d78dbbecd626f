// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat/event"
)

func TestAnEventSurvivesItsJSON(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	for name, e := range map[string]event.Event{
		"the least": {ID: "1", Source: "/orders", Type: "shop.order.placed"},
		"all of JSON": {
			ID: "1", Source: "/orders", Type: "shop.order.placed", Subject: "o-1", Time: at, DataContentType: "application/json",
			DataSchema: "https://example.com/s", Data: []byte(`{"item":"tea"}`), Extensions: map[string]string{"partitionkey": "k", "traceparent": "t"},
		},
		"bytes":                  {ID: "1", Source: "/orders", Type: "a", DataContentType: "application/octet-stream", Data: []byte{0, 1, 255}},
		"JSON by name alone":     {ID: "1", Source: "/orders", Type: "a", DataContentType: "application/json", Data: []byte("{")},
		"without a content type": {ID: "1", Source: "/orders", Type: "a", Data: []byte("[1,2]")},
	} {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var got event.Event
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s: %s became %+v, %v", name, text, got, err)
		}
	}
}

func TestOthersEventsAreRead(t *testing.T) {
	var e event.Event
	err := json.Unmarshal([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","subject":null,"count":7,"urgent":true,"datacontenttype":"text/plain","data":"hello"}`), &e)
	want := event.Event{
		ID: "1", Source: "s", Type: "t", DataContentType: "text/plain", Data: []byte("hello"),
		Extensions: map[string]string{"count": "7", "urgent": "true"},
	}
	if err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestWhatIsNoEventIsNamed(t *testing.T) {
	for field, text := range map[string]string{
		"event":       `[]`,
		"specversion": `{"specversion":"0.3","id":"1"}`,
		"id":          `{"specversion":"1.0","id":1}`,
		"time":        `{"specversion":"1.0","time":"yesterday"}`,
		"data":        `{"specversion":"1.0","data":1,"data_base64":"AA=="}`,
		"data_base64": `{"specversion":"1.0","data_base64":"?"}`,
		"extension x": `{"specversion":"1.0","x":{}}`,
		"extension y": `{"specversion":"1.0","y":null}`,
	} {
		e := event.Event{ID: "before"}
		err := json.Unmarshal([]byte(text), &e)
		if got, ok := errors.AsType[*event.Error](err); !ok || got.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if e.ID != "before" {
			t.Errorf("%s: half an event was read", field)
		}
	}
	if err := json.Unmarshal([]byte(strings.Repeat("[", 100_000)), new(event.Event)); err == nil {
		t.Error("deep nesting was read")
	}
}
