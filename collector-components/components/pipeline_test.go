// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (w *world) push(files fs.FS) {
	w.t.Helper()
	archive, err := policy.Build(files)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := policy.LoadPrivateKey(w.signer)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := policy.Push(w.t.Context(), w.etcd, "telemetry", archive, policy.PushOptions{Key: key, Author: "test", Expect: versioned.Any}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) log(ctx context.Context, service, body string) error {
	_, err := plogotlp.NewGRPCClient(w.conn).Export(ctx, plogotlp.NewExportRequestFromLogs(logOf(service, body)))
	return err
}

func logOf(service, body string) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", service)
	record := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Body().SetStr(body)
	record.Attributes().PutStr("card", "5500-0000-0000-0004")
	return ld
}

func testEvents(t *testing.T, w *world) {
	publisher := func(principal, service string) *event.Client {
		exporter, err := otlploggrpc.New(t.Context(), otlploggrpc.WithEndpointURL("http://"+w.events), otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}),
			otlploggrpc.WithHeaders(map[string]string{"authorization": "Bearer " + w.token("service", principal)}))
		if err != nil {
			t.Fatal(err)
		}
		c := event.NewClient(exporter, resource.NewSchemaless(attribute.String("service.name", service)))
		t.Cleanup(func() { _ = c.Shutdown(context.Background()) })
		return c
	}
	orders := publisher("orders", "orders")
	if err := orders.Publish(t.Context(), event.Event{ID: "1", Type: "shop.order.placed", Data: []byte("4111111111111111")}); err != nil {
		t.Fatal(err)
	}
	if err := publisher("orders", "inventory").Publish(t.Context(), event.Event{Type: "t"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("an event as another service: %v", err)
	}
	w.expectMetric(3, "otelcol_processor_policy_claims_items_total", `reason="denied"`, `otelcol_signal="logs"`) // two came before
	bus, err := jetstream.Open(jetstream.WithURL(w.nats.URL()), jetstream.WithNamespace("test"))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	got := make(chan event.Delivery, 10)
	if _, err := bus.Subscribe(t.Context(), event.Subscription{Name: "test", All: true}, func(_ context.Context, d event.Delivery) error {
		got <- d
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// Events are the services' own data: no rule of the telemetry policy changes them.
	if d := <-got; d.ID != "1" || d.Service != "orders" || string(d.Data) != "4111111111111111" {
		t.Errorf("got %+v", d)
	}

	w.nats.Stop()
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := orders.Publish(short, event.Event{Type: "t"}); !errors.Is(err, event.ErrUncertain) {
		t.Errorf("without NATS: %v", err)
	}
	if err := w.log(w.as("service", "orders"), "orders", "NATS is away"); err != nil {
		t.Errorf("logs are refused because NATS is away: %v", err)
	}
	w.nats.Start()
	if err := orders.Publish(t.Context(), event.Event{ID: "2", Type: "t"}); err != nil {
		t.Errorf("NATS is back: %v", err)
	}
}

// overHTTP sends the same and returns the status.
func (w *world) overHTTP(token, service, body string) int {
	w.t.Helper()
	text, err := plogotlp.NewExportRequestFromLogs(logOf(service, body)).MarshalProto()
	if err != nil {
		w.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.http+"/v1/logs", bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// The default configuration from end to end, in the order of a fleet's first day.
func TestTheDefaultConfiguration(t *testing.T) {
	w := start(t)
	orders := w.as("service", "orders")

	t.Run("without a bundle senders are told to try again", func(t *testing.T) {
		if err := w.log(orders, "orders", "too early"); status.Code(err) != codes.Unavailable {
			t.Errorf("error is %v, expected Unavailable", err)
		}
		if code := w.overHTTP(w.token("service", "orders"), "orders", "too early"); code != http.StatusServiceUnavailable {
			t.Errorf("HTTP status is %d, expected 503", code)
		}
		w.expectMetric(2, "otelcol_processor_policy_refused_batches_total", `reason="no_bundle"`, `otelcol_signal="logs"`)
	})

	w.push(components.DefaultBundle())
	w.eventually("the pushed bundle lets telemetry through", func() bool {
		return w.log(orders, "orders", "first") == nil
	})

	t.Run("who has no token is refused, once and for all", func(t *testing.T) {
		if err := w.log(t.Context(), "orders", "anonymous"); status.Code(err) != codes.Unauthenticated {
			t.Errorf("error is %v, expected Unauthenticated", err)
		}
		if code := w.overHTTP("", "orders", "anonymous"); code != http.StatusUnauthorized {
			t.Errorf("HTTP status is %d, expected 401", code)
		}
		w.expectMetric(2, "otelcol_extension_policy_auth_refusals_total", `reason="no_token"`)
	})

	t.Run("a service cannot send as another, nor a user as anyone", func(t *testing.T) {
		for _, sender := range []context.Context{orders, w.as("user", "inventory")} {
			if err := w.log(sender, "inventory", "forged"); err != nil {
				t.Errorf("error is %v: what is denied is dropped and counted, not refused", err)
			}
		}
		w.expectMetric(2, "otelcol_processor_policy_claims_items_total", `reason="denied"`, `otelcol_signal="logs"`)
	})

	t.Run("card numbers are masked", func(t *testing.T) {
		if err := w.log(orders, "orders", "paid with 4111 1111 1111 1111 by alice"); err != nil {
			t.Fatal(err)
		}
		if code := w.overHTTP(w.token("service", "orders"), "orders", "paid with 4111111111111111 over http"); code != http.StatusOK {
			t.Errorf("HTTP status is %d, expected 200", code)
		}
		w.eventually("both records are exported", func() bool {
			text := w.backend.text("logs")
			return strings.Contains(text, "paid with **** by alice") && strings.Contains(text, "paid with **** over http")
		})
	})

	t.Run("spans of health checks are dropped, others are not", func(t *testing.T) {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", "orders")
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		for _, route := range []string{"/healthz", "/orders/{id}"} {
			span := spans.AppendEmpty()
			span.SetName("GET " + route)
			span.SetKind(ptrace.SpanKindServer)
			span.Attributes().PutStr("http.route", route)
			span.Events().AppendEmpty().Attributes().PutStr("exception.message", "4111111111111111 was declined")
		}
		if _, err := ptraceotlp.NewGRPCClient(w.conn).Export(orders, ptraceotlp.NewExportRequestFromTraces(td)); err != nil {
			t.Fatal(err)
		}
		w.eventually("the other span is exported", func() bool { return strings.Contains(w.backend.text("traces"), "/orders/{id}") })
		w.expectMetric(1, "otelcol_processor_policy_items_total", `action="dropped"`, `rule="health-check"`, `otelcol_signal="traces"`)
	})

	t.Run("metrics pass", func(t *testing.T) {
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", "orders")
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("orders.placed")
		m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
		if _, err := pmetricotlp.NewGRPCClient(w.conn).Export(orders, pmetricotlp.NewExportRequestFromMetrics(md)); err != nil {
			t.Fatal(err)
		}
		w.eventually("the metric is exported", func() bool { return strings.Contains(w.backend.text("metrics"), "orders.placed") })
	})

	t.Run("published events are stored, or refused", func(t *testing.T) { testEvents(t, w) })

	t.Run("a new bundle is in force without a restart", func(t *testing.T) {
		claims, err := fs.ReadFile(components.DefaultBundle(), "claims.rego")
		if err != nil {
			t.Fatal(err)
		}
		w.push(fstest.MapFS{
			"claims.rego":    {Data: claims},
			"telemetry.rego": {Data: []byte("package otelplat.telemetry\ndrop contains \"all-logs\" if input.signal == \"logs\"\nredact[\"r\"] := {\"action\": \"delete\", \"fields\": [\"body\"]}\n")},
		})
		w.eventually("the new rule drops", func() bool {
			if err := w.log(orders, "orders", "no longer"); err != nil {
				t.Fatal(err)
			}
			return w.metric("otelcol_processor_policy_items_total", `rule="all-logs"`) > 0
		})
	})

	for _, signal := range []string{"logs", "traces", "metrics"} {
		text := w.backend.text(signal)
		for _, secret := range []string{"4111", "5500-", "forged", "anonymous", "too early", "/healthz"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q got through in %s: %s", secret, signal, text)
			}
		}
	}
}
