// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/otelplat/platform/internal/tokenfile"
	"github.com/otelplat/platform/otelplat/event"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// EventsVariable names the collector's OTLP gRPC endpoint for published events, as
// "https://collector:4319". It is another than that of logs: what is sent there is
// acknowledged when it is stored.
const EventsVariable = "OTELPLAT_EVENTS_ENDPOINT"

// eventsConnect makes a connection that was refused again soon: a publisher waits for
// it. gRPC's own maximum is two minutes.
var eventsConnect = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: 5 * time.Second,
}

// makeEvents makes the publisher of events, if there is an endpoint for them.
func (t *Telemetry) makeEvents(ctx context.Context, f *exporterFactory) error {
	endpoint := os.Getenv(EventsVariable)
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return &EnvironmentError{EventsVariable, endpoint, []string{"http://host:port", "https://host:port"}}
	}
	opts := []otlploggrpc.Option{
		otlploggrpc.WithEndpointURL(endpoint), otlploggrpc.WithDialOption(grpc.WithConnectParams(eventsConnect)),
		// The publisher tries again, with an eye on its caller's context.
		otlploggrpc.WithRetry(otlploggrpc.RetryConfig{Enabled: false}),
	}
	if f.token != nil && tokenfile.MayCarry(u.Scheme, u.Host) {
		headers, credentials := f.grpcHeaders("LOGS")
		opts = append(opts, otlploggrpc.WithHeaders(headers), otlploggrpc.WithDialOption(credentials))
	}
	exporter, err := otlploggrpc.New(ctx, opts...)
	if err != nil {
		return fmt.Errorf("otelplat: events: %w", err)
	}
	t.events = event.NewClient(exporter, t.resource)
	t.shutdowns = append(t.shutdowns, t.events.Shutdown)
	return nil
}

// Events returns the publisher of events, which package event's Publish uses too.
// Without OTELPLAT_EVENTS_ENDPOINT it returns [event.ErrNoPublisher].
func (t *Telemetry) Events() event.Publisher {
	if t.events == nil {
		return noEvents{}
	}
	return t.events
}

// noEvents is the publisher of a service without an endpoint for events.
type noEvents struct{}

func (noEvents) Publish(context.Context, event.Event) error { return event.ErrNoPublisher }
