// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
)

// console is the standard error of a process whose own events the collector has.
type console struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// asMain does what the main of a collector does before it runs one.
func asMain(t *testing.T) *console {
	t.Helper()
	c := new(console)
	before := otel.GetLoggerProvider()
	otel.SetLoggerProvider(components.Events(c))
	t.Cleanup(func() { otel.SetLoggerProvider(before) })
	return c
}

// told is the platform's events of a name that the backend has, with a rule's name.
func (b *backend) told(name, rule string) (all []plog.LogRecord) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.logs {
		for _, rl := range r.Logs().ResourceLogs().All() {
			if who, _ := rl.Resource().Attributes().Get("service.name"); who.AsString() != "otelplat-collector" {
				continue
			}
			for _, sl := range rl.ScopeLogs().All() {
				for _, record := range sl.LogRecords().All() {
					if of, _ := record.Attributes().Get(semconv.TelemetryRule); record.EventName() == name && of.AsString() == rule {
						all = append(all, record)
					}
				}
			}
		}
	}
	return all
}

// all is a bundle whose one rule acts upon every log record.
func all(t *testing.T, rule string) fs.FS {
	t.Helper()
	claims, err := fs.ReadFile(components.DefaultBundle(), "claims.rego")
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"claims.rego":    {Data: claims},
		"telemetry.rego": {Data: []byte("package otelplat.telemetry\nobserve contains \"" + rule + "\" if input.signal == \"logs\"\n")},
	}
}

// subscribe reads a namespace from its beginning.
func (w *world) subscribe(namespace string) <-chan event.Delivery {
	w.t.Helper()
	bus, err := jetstream.Open(jetstream.WithURL(w.nats.URL()), jetstream.WithNamespace(namespace))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { bus.Close() })
	got := make(chan event.Delivery, 1000)
	if _, err := bus.Subscribe(w.t.Context(), event.Subscription{Name: "test", All: true}, func(_ context.Context, d event.Delivery) error {
		got <- d
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return got
}

const govern = semconv.TelemetryGovern

func TestThePlatformsEventsTravelWithTheLogsAndAreCopiedToJetStream(t *testing.T) {
	stderr := asMain(t)
	w := start(t)
	w.push(all(t, "everything"))
	orders := w.as("service", "orders")
	w.eventually("an act upon a record is told to the backend", func() bool {
		_ = w.log(orders, "orders", "order 7")
		return len(w.backend.told(govern, "everything")) > 0
	})
	record := w.backend.told(govern, "everything")[0]
	id, _ := record.Attributes().Get("log.record.uid")

	t.Run("the copy is the same event", func(t *testing.T) {
		copies := w.subscribe("test-platform")
		for d := range copies {
			if d.ID != id.Str() {
				continue
			}
			var data struct{ Attributes map[string]any }
			if err := json.Unmarshal(d.Data, &data); err != nil {
				t.Fatal(err)
			}
			if d.Type != govern || d.Service != "otelplat-collector" || data.Attributes[semconv.TelemetryRule] != "everything" {
				t.Errorf("got %+v: %s", d, d.Data)
			}
			break
		}
		w.eventually("all copies are acknowledged, and counted", func() bool {
			entered := w.metric("otelcol_receiver_accepted_log_records_total", `receiver="otelplat_events"`)
			return entered > 0 && w.metric("otelcol_exporter_events_published_total", `delivery="best_effort"`, `reason="stored"`) == entered
		})
	})

	t.Run("what happened while it started is there too", func(t *testing.T) {
		text := w.backend.text("logs")
		if !strings.Contains(text, semconv.EventPolicyLoad) {
			t.Errorf("no %s: %s", semconv.EventPolicyLoad, text)
		}
	})

	t.Run("standard error has none of what travels", func(t *testing.T) {
		if text := stderr.String(); strings.Contains(text, govern) {
			t.Errorf("it has: %s", text)
		}
	})

	t.Run("without NATS they travel all the same, and the copies wait", func(t *testing.T) {
		w.nats.Stop()
		before := len(w.backend.told(govern, "everything"))
		w.eventually("another one is told to the backend", func() bool {
			if err := w.log(orders, "orders", "order 8"); err != nil {
				t.Fatalf("logs are refused because NATS is away: %v", err)
			}
			return len(w.backend.told(govern, "everything")) > before
		})
		w.nats.Start()
		w.eventually("the copies are made up for", func() bool {
			return w.metric("otelcol_exporter_events_published_total", `delivery="best_effort"`, `reason="stored"`) ==
				w.metric("otelcol_receiver_accepted_log_records_total", `receiver="otelplat_events"`)
		})
	})

	for _, missed := range []string{"queue_full", "refused", "own_pipeline"} {
		w.expectMetric(0, "otelcol_receiver_events_missed_total", `reason="`+missed+`"`)
	}
}

func TestWithoutAnExportThePlatformsEventsAreOnStandardErrorToo(t *testing.T) {
	stderr := asMain(t)
	w := startFrom(t, func() []string { return []string{"yaml:" + components.DefaultConfig()} })
	w.push(all(t, "everything"))
	w.eventually("an act upon a record is on standard error", func() bool {
		_ = w.log(w.as("service", "orders"), "orders", "order 7")
		return strings.Contains(stderr.String(), `"`+semconv.TelemetryRule+`":"everything"`)
	})
	for d := range w.subscribe("test-platform") {
		if d.Type == govern {
			break
		}
	}
}

func TestWhatRoutersOfServicesDidIsCopiedToJetStream(t *testing.T) {
	for name, from := range map[string]func() []string{
		"without an export": func() []string { return []string{"yaml:" + components.DefaultConfig()} },
		"with an export":    components.DefaultURIs,
	} {
		t.Run(name, func(t *testing.T) {
			w := startFrom(t, from)
			w.push(components.DefaultBundle())
			logger := w.loggerOf("orders", "orders-1")
			named := func(name string) (r log.Record) {
				r.SetEventName(name)
				return r
			}
			decide, override, large := named("otelplat.policy.decide"), named(semconv.EventRouteOverride), named(semconv.EventRouteEject)
			large.SetBody(attribute.StringValue(strings.Repeat("x", 4096)))
			act := acts.Act{
				ID: acts.NewID(), At: time.Unix(1_000_000, 5), Event: semconv.EventRouteEject, Service: "inventory", Instance: "inventory-2",
				Rule: "consecutive_failures", Figures: []acts.Figure{{Name: "consecutive", Value: 5, Threshold: 5}}, Instances: 3, Rotation: 2,
				Effect: new(acts.Effect),
			}
			// The bundle is there in a moment: until then the collector asks to be told again.
			for _, r := range []log.Record{decide, override, large, act.Record(), act.EffectRecord(acts.NewID(), time.Unix(1_000_012, 0))} {
				logger.Emit(t.Context(), r)
			}
			copies := w.subscribe("test-acts") // in which nothing of the collector's own is
			var told []event.Delivery
			for d := range copies {
				if told = append(told, d); d.Type == semconv.EventRouteEffect {
					break
				}
			}
			if len(told) != 2 || told[0].Type != act.Event || told[0].ID != act.ID || told[0].Source != "/orders/orders-1" || !told[0].Time.Equal(act.At) {
				t.Errorf("copied %+v, want the act, its effect, and nothing else", told)
			}
			var data struct{ Attributes map[string]any }
			if err := json.Unmarshal(told[1].Data, &data); err != nil {
				t.Fatal(err)
			}
			if data.Attributes[semconv.RouteActID] != act.ID || data.Attributes[semconv.RouteInstance] != "inventory-2" {
				t.Errorf("the effect is %s", told[1].Data)
			}
		})
	}
}

// loggerOf is what an instance of a service emits its events with.
func (w *world) loggerOf(service, instance string) log.Logger {
	w.t.Helper()
	exporter, err := otlploggrpc.New(w.t.Context(), otlploggrpc.WithGRPCConn(w.conn),
		otlploggrpc.WithHeaders(map[string]string{"authorization": "Bearer " + w.token("service", service)}),
		otlploggrpc.WithRetry(otlploggrpc.RetryConfig{Enabled: true, InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: time.Minute}))
	if err != nil {
		w.t.Fatal(err)
	}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter, sdklog.WithExportInterval(100*time.Millisecond))),
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.instance.id", instance))))
	w.t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider.Logger(semconv.RouteScope)
}

// A policy in the pipeline of the platform's events acts upon what tells of its acts.
func TestThePlatformsEventsDoNotFeedOnThemselves(t *testing.T) {
	stderr := asMain(t)
	var w *world
	sent := 0
	t.Cleanup(func() { // when the collector has ended, and all of it is out
		if n := len(w.backend.told(govern, "loop")); n > sent {
			t.Errorf("the backend has %d events of acts upon %d batches", n, sent)
		}
	})
	w = start(t, "service::pipelines::logs/platform::processors: [memory_limiter, otelplat_policy/enforce, batch]")
	w.push(all(t, "loop"))
	w.eventually("the policy acts upon what tells of its acts", func() bool {
		if len(w.backend.told(govern, "loop")) == 0 {
			sent++
			_ = w.log(w.as("service", "orders"), "orders", "order")
		}
		return len(w.backend.told(govern, "loop")) > 0 && w.metric("otelcol_receiver_events_missed_total", `reason="own_pipeline"`) > 0
	})
	w.eventually("that is on standard error", func() bool { return strings.Contains(stderr.String(), `"`+semconv.TelemetryRule+`":"loop"`) })
}
