// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/otelplat/event"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// wire is an exporter that answers as the test says.
type wire struct {
	answers []error // the last one for ever

	mu      sync.Mutex
	records []sdklog.Record
}

func (w *wire) Export(ctx context.Context, records []sdklog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	w.records = append(w.records, records...)
	return w.answers[min(len(w.records), len(w.answers))-1]
}

func (w *wire) Shutdown(context.Context) error   { return nil }
func (w *wire) ForceFlush(context.Context) error { return nil }

func (w *wire) ids() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := make(map[string]int)
	for _, r := range w.records {
		r.WalkAttributes(func(a attribute.KeyValue) bool {
			if a.Key == "cloudevents.event_id" {
				ids[a.Value.AsString()]++
			}
			return true
		})
	}
	return ids
}

func client(w *wire) *event.Client {
	return event.NewClient(w, resource.NewSchemaless(attribute.String("service.name", "orders")))
}

func TestAPublishedEventIsALogRecord(t *testing.T) {
	w := &wire{answers: []error{nil}}
	c := client(w)
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	happened := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	data := []byte{0xff, 0, '{'}
	if err := c.Publish(ctx, event.Event{
		ID: "7", Type: "shop.order.placed", Subject: "order-7", Time: happened, DataContentType: "text/plain", Data: data,
		Extensions: map[string]string{"tenant": strings.Repeat("x", event.MaxExtension)},
	}); err != nil {
		t.Fatal(err)
	}
	r := w.records[0]
	if r.EventName() != "shop.order.placed" || !r.Timestamp().Equal(happened) || string(r.Body().AsByteSlice()) != string(data) {
		t.Errorf("name %q, time %v, body %v", r.EventName(), r.Timestamp(), r.Body())
	}
	if r.TraceID() != (trace.TraceID{1}) {
		t.Errorf("trace %s", r.TraceID())
	}
	got := make(map[string]string)
	r.WalkAttributes(func(a attribute.KeyValue) bool {
		got[string(a.Key)] = a.Value.AsString()
		return true
	})
	delete(got, "cloudevents.ext.traceparent")
	want := map[string]string{
		"cloudevents.event_id": "7", "cloudevents.event_source": "/orders", "cloudevents.event_type": "shop.order.placed",
		"cloudevents.event_spec_version": "1.0", "cloudevents.event_subject": "order-7",
		"cloudevents.event_datacontenttype": "text/plain", "cloudevents.ext.tenant": strings.Repeat("x", event.MaxExtension),
	}
	if !maps.Equal(got, want) {
		t.Errorf("attributes %v\nwant %v", got, want)
	}
	if v, ok := r.Resource().Set().Value("service.name"); !ok || v.AsString() != "orders" {
		t.Errorf("resource %v", r.Resource())
	}
}

func TestAPublishIsTriedAgainWithTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []error{status.Error(codes.Unavailable, "away"), errors.New("connection refused"), nil}}
		c := client(w)
		if err := c.Publish(t.Context(), event.Event{Type: "t"}); err != nil {
			t.Fatal(err)
		}
		if ids := w.ids(); len(ids) != 1 || len(w.records) != 3 {
			t.Errorf("%d records with the ids %v, want 3 with one id", len(w.records), ids)
		}
	})
}

func TestARefusedPublishIsNotTriedAgain(t *testing.T) {
	w := &wire{answers: []error{status.Error(codes.PermissionDenied, "not as this service")}}
	err := client(w).Publish(t.Context(), event.Event{Type: "t"})
	if status.Code(err) != codes.PermissionDenied || errors.Is(err, event.ErrUncertain) || len(w.records) != 1 {
		t.Errorf("error %v after %d records", err, len(w.records))
	}
}

func TestAPublishThatNobodyAcknowledgesIsUncertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []error{status.Error(codes.Unavailable, "NATS is away")}}
		began := time.Now()
		err := client(w).Publish(t.Context(), event.Event{Type: "t"})
		if !errors.Is(err, event.ErrUncertain) || !strings.Contains(err.Error(), "NATS is away") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != event.MaxPublish {
			t.Errorf("it took %v, want %v", took, event.MaxPublish)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := client(w).Publish(ctx, event.Event{Type: "t"}); !errors.Is(err, event.ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestAClientThatWasShutDownSaysSo(t *testing.T) {
	c := client(&wire{answers: []error{nil}})
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(t.Context(), event.Event{Type: "t"}); !errors.Is(err, event.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestPublishUsesTheProcessesPublisher(t *testing.T) {
	if err := event.Publish(t.Context(), event.Event{Type: "t"}); !errors.Is(err, event.ErrNoPublisher) {
		t.Errorf("error %v", err)
	}
	w := &wire{answers: []error{nil}}
	event.SetPublisher(client(w))
	defer event.SetPublisher(nil)
	if err := event.Publish(t.Context(), event.Event{Type: "t"}); err != nil || len(w.records) != 1 {
		t.Errorf("error %v, %d records", err, len(w.records))
	}
	var e *event.Error
	if err := event.Publish(t.Context(), event.Event{Type: ""}); !errors.As(err, &e) || e.Field != "type" {
		t.Errorf("error %v", err)
	}
}
