// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/eventtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	eventtest.Bus(t, func(*testing.T) event.Bus { return event.NewMemory("tester") })
}

func TestTheJSONOfAnEventIsThatOfCloudEvents(t *testing.T) {
	e := event.Event{
		ID: "1", Source: "/orders", Type: "shop.order.placed", Subject: "7", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		DataContentType: "application/vnd.shop+json; charset=utf-8", Data: []byte(`{"a": 1}`), Extensions: map[string]string{"tenant": "t"},
	}
	for want, e := range map[string]event.Event{
		`{"data":{"a":1},"datacontenttype":"application/vnd.shop+json; charset=utf-8","id":"1","source":"/orders","specversion":"1.0","subject":"7","tenant":"t","time":"2026-01-02T03:04:05Z","type":"shop.order.placed"}`: e,
		`{"data_base64":"/w==","id":"","source":"","specversion":"1.0","type":"t"}`:                                {Type: "t", Data: []byte{0xff}},
		`{"data_base64":"MQ==","datacontenttype":"text/plain","id":"","source":"","specversion":"1.0","type":"t"}`: {Type: "t", DataContentType: "text/plain", Data: []byte("1")},
		`{"id":"","source":"","specversion":"1.0","type":"t"}`:                                                     {Type: "t"},
	} {
		got, err := json.Marshal(e)
		if err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}
