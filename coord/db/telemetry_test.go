// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/otelplat/platform/coord/db"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// measured makes providers that keep what they are told the global ones for the
// time of a test.
func measured(t *testing.T) (*tracetest.SpanRecorder, *metric.ManualReader) {
	t.Helper()
	spans, reader := tracetest.NewSpanRecorder(), metric.NewManualReader()
	tracers, meters := otel.GetTracerProvider(), otel.GetMeterProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	t.Cleanup(func() {
		otel.SetTracerProvider(tracers)
		otel.SetMeterProvider(meters)
	})
	return spans, reader
}

func TestEveryCallHasASpanAndAMeasurement(t *testing.T) {
	spans, reader := measured(t)
	d := db.Memory()
	t.Cleanup(func() { _ = d.Close() })
	c := ordersOf(t, d)
	ctx := t.Context()
	ended, cancel := context.WithCancel(ctx)
	cancel()

	_, _ = c.Create(ctx, "a", order{}, nil)
	_, _ = c.Create(ctx, "a", order{}, nil)
	_, _ = c.Read(ctx, "a")
	_, _ = c.Read(ctx, "b")
	_, _ = c.Update(ctx, "a", 1, order{}, nil)
	_, _ = c.Update(ctx, "a", 0, order{}, nil)
	_, _ = c.Search(ctx, db.Query{})
	_, _ = c.Search(ctx, db.Query{Cursor: "x"})
	_ = c.Delete(ended, "a", 2)
	_ = c.Delete(ctx, "a", 2)
	_ = d.Commit(ctx, c.Creating("x", order{}, nil), c.Creating("y", order{}, nil))

	want := []struct {
		name, errorType string
		status          codes.Code
	}{
		{"define", "", codes.Unset},
		{"create orders", "", codes.Unset},
		{"create orders", "conflict", codes.Unset},
		{"read orders", "", codes.Unset},
		{"read orders", "not_found", codes.Unset},
		{"update orders", "", codes.Unset},
		{"update orders", "input", codes.Error},
		{"search orders", "", codes.Unset},
		{"search orders", "input", codes.Error},
		{"delete orders", "cancelled", codes.Error},
		{"delete orders", "", codes.Unset},
		{"commit", "", codes.Unset},
	}
	got := spans.Ended()
	if len(got) != len(want) {
		t.Fatalf("%d spans, want %d", len(got), len(want))
	}
	for i, w := range want {
		s := got[i]
		attrs := make(map[string]string)
		for _, a := range s.Attributes() {
			attrs[string(a.Key)] = a.Value.String()
		}
		if s.Name() != w.name || s.SpanKind() != trace.SpanKindClient || s.Status().Code != w.status ||
			attrs["error.type"] != w.errorType || attrs["db.system.name"] != "memory" {
			t.Errorf("span %d is %q with %v and %v, want %+v", i, s.Name(), attrs, s.Status(), w)
		}
		if operation := attrs["db.operation.name"]; w.name != operation && w.name != operation+" "+attrs["db.collection.name"] {
			t.Errorf("span %q has %v", s.Name(), attrs)
		}
		if events := len(s.Events()); (events > 0) != (w.status == codes.Error) {
			t.Errorf("span %d (%s) has %d events", i, w.name, events)
		}
		switch rows, batch := attrs["db.response.returned_rows"], attrs["db.operation.batch.size"]; {
		case i == 7 && rows != "1":
			t.Errorf("the search returned %q rows", rows)
		case w.name == "commit" && batch != "2":
			t.Errorf("the commit had a batch of %q", batch)
		}
	}
	wantDurations(t, reader, map[string]uint64{
		"define/": 1, "create/": 1, "create/conflict": 1, "read/": 1, "read/not_found": 1, "update/": 1, "update/input": 1,
		"search/": 1, "search/input": 1, "delete/cancelled": 1, "delete/": 1, "commit/": 1,
	})
}

func wantDurations(t *testing.T, reader *metric.ManualReader, want map[string]uint64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]uint64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			h, ok := m.Data.(metricdata.Histogram[float64])
			if !ok || m.Name != "db.client.operation.duration" || m.Unit != "s" {
				t.Errorf("metric %q in %q of %T", m.Name, m.Unit, m.Data)
				continue
			}
			for _, p := range h.DataPoints {
				operation, _ := p.Attributes.Value("db.operation.name")
				kind, _ := p.Attributes.Value("error.type")
				counts[operation.AsString()+"/"+kind.AsString()] += p.Count
			}
		}
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("measured %v\nwant %v", counts, want)
	}
}
