// SPDX-License-Identifier: Apache-2.0

package eventexporter_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/eventexporter"
	"github.com/otelplat/platform/collector-components/eventexporter/internal/metadata"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// running is a started exporter on a server.
type running struct {
	exporter.Logs
	t         *testing.T
	telemetry *componenttest.Telemetry
}

func start(t *testing.T, server *natstest.Server, changes ...func(*eventexporter.Config)) *running {
	t.Helper()
	factory := eventexporter.NewFactory()
	cfg := factory.CreateDefaultConfig().(*eventexporter.Config)
	cfg.URL = server.URL()
	for _, change := range changes {
		change(cfg)
	}
	tel := componenttest.NewTelemetry()
	set := exportertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	e, err := factory.CreateLogs(t.Context(), set, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(e.Shutdown(context.Background()), tel.Shutdown(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return &running{e, t, tel}
}

// counted returns how many events ended so.
func (r *running) counted(reason string) (n int64) {
	r.t.Helper()
	m, err := r.telemetry.GetMetric("otelcol_exporter_events_published")
	if err != nil {
		return 0 // nothing was counted
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		if v, _ := p.Attributes.Value(attribute.Key(semconv.CollectorReason)); v.AsString() == reason {
			n += p.Value
		}
	}
	return n
}

// logs is a request with one record of a service, which a test changes.
func logs(service string, change func(plog.LogRecord)) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	if service != "" {
		rl.Resource().Attributes().PutStr("service.name", service)
	}
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetEventName("shop.order.placed")
	r.SetTimestamp(pcommon.NewTimestampFromTime(time.Unix(1_000_000, 5)))
	r.Body().SetEmptyBytes().FromRaw([]byte{0xff, 0})
	r.Attributes().PutStr("cloudevents.event_id", "1")
	r.Attributes().PutStr("cloudevents.event_source", "/orders")
	r.Attributes().PutStr("cloudevents.event_spec_version", "1.0")
	if change != nil {
		change(r)
	}
	return ld
}

func subscribe(t *testing.T, server *natstest.Server) <-chan event.Delivery {
	t.Helper()
	bus, err := jetstream.Open(jetstream.WithURL(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	got := make(chan event.Delivery, 100)
	if _, err := bus.Subscribe(t.Context(), event.Subscription{Name: "test", All: true}, func(_ context.Context, d event.Delivery) error {
		got <- d
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEventsAreStoredAsTheyWerePublished(t *testing.T) {
	server := natstest.NewServer(t)
	e := start(t, server)
	got := subscribe(t, server)
	if err := e.ConsumeLogs(t.Context(), logs("orders", func(r plog.LogRecord) {
		r.Attributes().PutStr("cloudevents.event_type", "shop.order.placed")
		r.Attributes().PutStr("cloudevents.event_subject", "order-7")
		r.Attributes().PutStr("cloudevents.event_datacontenttype", "x/y")
		r.Attributes().PutStr("cloudevents.event_dataschema", "https://example.com")
		r.Attributes().PutStr("cloudevents.ext.tenant", "t")
		r.SetTraceID(pcommon.TraceID{1})
		r.SetSpanID(pcommon.SpanID{2})
		r.SetFlags(plog.DefaultLogRecordFlags.WithIsSampled(true))
	})); err != nil {
		t.Fatal(err)
	}
	d := <-got
	want := map[string]string{"tenant": "t", "traceparent": "00-01000000000000000000000000000000-0200000000000000-01"}
	if d.Service != "orders" || d.ID != "1" || d.Source != "/orders" || d.Type != "shop.order.placed" || d.Subject != "order-7" ||
		d.DataContentType != "x/y" || d.DataSchema != "https://example.com" || string(d.Data) != "\xff\x00" ||
		!d.Time.Equal(time.Unix(1_000_000, 5)) || !maps.Equal(d.Extensions, want) {
		t.Errorf("got %+v", d)
	}
	if n := e.counted("stored"); n != 1 {
		t.Errorf("%d events counted as stored", n)
	}
}

func TestOneRecordThatIsNoEventRefusesTheRequest(t *testing.T) {
	server := natstest.NewServer(t)
	e := start(t, server)
	got := subscribe(t, server)
	cases := map[string]plog.Logs{
		"service.name": logs("", nil),
		"event name":   logs("orders", func(r plog.LogRecord) { r.SetEventName("") }),
		"type":         logs("orders", func(r plog.LogRecord) { r.Attributes().PutStr("cloudevents.event_type", "another") }),
		"id":           logs("orders", func(r plog.LogRecord) { r.Attributes().Remove("cloudevents.event_id") }),
		"source":       logs("orders", func(r plog.LogRecord) { r.Attributes().Remove("cloudevents.event_source") }),
		"version":      logs("orders", func(r plog.LogRecord) { r.Attributes().PutStr("cloudevents.event_spec_version", "2") }),
		"body":         logs("orders", func(r plog.LogRecord) { r.Body().SetEmptyMap() }),
		"data":         logs("orders", func(r plog.LogRecord) { r.Body().SetEmptyBytes().FromRaw(make([]byte, event.MaxData+1)) }),
		"extensions":   logs("orders", func(r plog.LogRecord) { r.Attributes().PutStr("cloudevents.ext.Bad", "x") }),
	}
	for field, ld := range cases {
		logs("orders", nil).ResourceLogs().MoveAndAppendTo(ld.ResourceLogs()) // a good one with it
		err := e.ConsumeLogs(t.Context(), ld)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: error %v", field, err)
		}
	}
	if n := e.counted("invalid"); n != int64(2*len(cases)) {
		t.Errorf("%d events counted as invalid, want %d", n, 2*len(cases))
	}
	if err := e.ConsumeLogs(t.Context(), logs("last", nil)); err != nil {
		t.Fatal(err)
	}
	if d := <-got; d.Service != "last" {
		t.Errorf("an event of a refused request was stored: %+v", d)
	}
}

func TestWithoutNATSARequestIsRefusedAndNothingElseHappens(t *testing.T) {
	server := natstest.NewServer(t)
	server.Stop()
	e := start(t, server) // it starts all the same
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := e.ConsumeLogs(ctx, logs("orders", nil)); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v, want Unavailable", err)
	}
	server.Start()
	got := subscribe(t, server)
	deadline := time.Now().Add(30 * time.Second)
	for e.ConsumeLogs(t.Context(), logs("orders", nil)) != nil {
		if time.Now().After(deadline) {
			t.Fatal("events are refused for 30 s after NATS is back")
		}
	}
	if d := <-got; d.ID != "1" || d.Sequence != 1 {
		t.Errorf("got %+v", d)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.ConsumeLogs(t.Context(), logs("orders", nil)); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v after Shutdown, want Unavailable", err)
	}
}

func TestTheConfigurationIsChecked(t *testing.T) {
	for field, change := range map[string]func(*eventexporter.Config){
		"url":        func(c *eventexporter.Config) { c.URL = "" },
		"namespace":  func(c *eventexporter.Config) { c.Namespace = "a/b" },
		"cert_file":  func(c *eventexporter.Config) { c.CertFile = "x" },
		"max_age":    func(c *eventexporter.Config) { c.MaxAge = time.Second },
		"max_bytes":  func(c *eventexporter.Config) { c.MaxBytes = 1 },
		"replicas":   func(c *eventexporter.Config) { c.Replicas = 2 },
		"queue_size": func(c *eventexporter.Config) { c.QueueSize = 0 },
		"max_data":   func(c *eventexporter.Config) { c.MaxData = 1<<16 + 1 },
		"types":      func(c *eventexporter.Config) { c.Types = []string{"t"} }, // whose publishers wait
		"types:":     func(c *eventexporter.Config) { c.BestEffort, c.Types = true, []string{"*"} },
		"max_wait":   func(c *eventexporter.Config) { c.MaxWait = time.Hour },
	} {
		c := eventexporter.NewFactory().CreateDefaultConfig().(*eventexporter.Config)
		if err := c.Validate(); err != nil {
			t.Fatalf("the default: %v", err)
		}
		change(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

func TestItChangesNothingOfWhatItIsGiven(t *testing.T) {
	f := eventexporter.NewFactory()
	e, err := f.CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), f.CreateDefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if e.Capabilities().MutatesData {
		t.Error("it asks for a copy of its own")
	}
}
