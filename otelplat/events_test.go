// SPDX-License-Identifier: Apache-2.0

package otelplat_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/event"
)

func TestPublishedEventsGoToTheirEndpointWithTheToken(t *testing.T) {
	c := newCollector(t, "grpc")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1") // of all other telemetry
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")
	t.Setenv(otelplat.EventsVariable, c.endpoint)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	tel, err := otelplat.Start(t.Context(), otelplat.WithServiceName("orders"), otelplat.WithTokenFile(token),
		otelplat.WithConsole(io.Discard), otelplat.WithoutRuntimeMetrics())
	if err != nil {
		t.Fatal(err)
	}
	if err := event.Publish(t.Context(), event.Event{Type: "shop.order.placed", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	if len(c.logs) != 1 || c.logs[0].GetEventName() != "shop.order.placed" || string(c.logs[0].GetBody().GetBytesValue()) != "x" {
		t.Errorf("records %v", c.logs)
	}
	if got := c.auth["logs"]; len(got) != 1 || got[0] != "Bearer secret" {
		t.Errorf("authorization %q", got)
	}
	c.mu.Unlock()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = tel.Shutdown(short) // nobody takes the rest
	if err := event.Publish(t.Context(), event.Event{Type: "t"}); !errors.Is(err, event.ErrNoPublisher) {
		t.Errorf("after Shutdown: %v", err)
	}
}

func TestWithoutAnEndpointThereIsNoPublisher(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	tel, err := otelplat.Start(t.Context(), otelplat.WithConsole(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(t.Context()) }()
	if err := tel.Events().Publish(t.Context(), event.Event{Type: "t"}); !errors.Is(err, event.ErrNoPublisher) {
		t.Errorf("error %v", err)
	}
}

func TestABadEndpointForEventsIsNamed(t *testing.T) {
	t.Setenv(otelplat.EventsVariable, "collector:4319")
	_, err := otelplat.Start(t.Context(), otelplat.WithConsole(io.Discard))
	var e *otelplat.EnvironmentError
	if !errors.As(err, &e) || e.Variable != otelplat.EventsVariable {
		t.Errorf("error %v, want one that names %s", err, otelplat.EventsVariable)
	}
}
