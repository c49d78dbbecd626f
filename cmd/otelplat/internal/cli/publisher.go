// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/sdk/resource"
)

// publisher publishes events through the collector of a running up, or another.
type publisher struct {
	endpoint, as, dataDir string
	timeout               time.Duration
}

func (p *publisher) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.endpoint, "events", "", "the collector's URL for events ("+otelplat.EventsVariable+"; else that of the running up)")
	f.StringVar(&p.as, "as", "otelplat", "the service that publishes")
	f.StringVar(&p.dataDir, "data-dir", datadir.Default, "data directory of a running up, whose issuer makes the token")
	f.DurationVar(&p.timeout, "timeout", 10*time.Second, "how long to try")
}

// publish returns when the event is stored.
func (p *publisher) publish(ctx context.Context, e event.Event) error {
	if err := coord.CheckName("--as", p.as); err != nil {
		return err
	}
	endpoint, token := p.endpoint, ""
	if endpoint == "" {
		endpoint = os.Getenv(otelplat.EventsVariable)
	}
	if endpoint == "" {
		running, issued, err := join(p.dataDir, devissuer.Claims{Kind: "service", Subject: p.as})
		if err != nil {
			return err
		}
		endpoint, token = running.Events, issued
	} else if path := os.Getenv(otelplat.TokenFileVariable); path != "" {
		text, err := os.ReadFile(path) //nolint:gosec // the user names it
		if err != nil {
			return fmt.Errorf("%s: %w", otelplat.TokenFileVariable, err)
		}
		token = strings.TrimSpace(string(text))
	}
	opts := []otlploggrpc.Option{otlploggrpc.WithEndpointURL(endpoint), otlploggrpc.WithRetry(otlploggrpc.RetryConfig{})}
	if token != "" {
		opts = append(opts, otlploggrpc.WithHeaders(map[string]string{"authorization": "Bearer " + token}))
	}
	exporter, err := otlploggrpc.New(ctx, opts...)
	if err != nil {
		return fmt.Errorf("--events %s: %w", endpoint, err)
	}
	client := event.NewClient(exporter, resource.NewSchemaless(attribute.String("service.name", p.as)))
	defer func() { _ = client.Shutdown(context.WithoutCancel(ctx)) }() // it has answered
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	return client.Publish(ctx, e)
}
