// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/load"
	"github.com/otelplat/platform/cmd/otelplat/internal/supervise"
	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/embedded"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/examples/shop/inventory"
	"github.com/otelplat/platform/examples/shop/orders"
	"github.com/otelplat/platform/examples/shop/storefront"
	"github.com/otelplat/platform/otelplat"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
	"go.uber.org/zap"
)

// internalCommand holds what `up` starts itself again as. Each ends when its
// standard input does.
func internalCommand() *cobra.Command {
	c := &cobra.Command{Use: "internal", Hidden: true, Short: "What up runs as its children"}
	c.AddCommand(etcdChild(), natsChild(), collectorChild(), shopChild(), loadChild(), keysCommand())
	return c
}

// attached runs f until the parent ends or asks to stop.
func attached(f func(ctx context.Context, c *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		ctx, cancel := supervise.Attach(c.Context(), os.Stdin)
		defer cancel()
		return f(ctx, c, args)
	}
}

func etcdChild() *cobra.Command {
	var dir string
	var port, peerPort int
	c := &cobra.Command{Use: "etcd", Args: cobra.NoArgs, RunE: attached(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		cfg := zap.NewProductionConfig()
		cfg.Level = zap.NewAtomicLevelAt(zap.WarnLevel)
		log, err := cfg.Build()
		if err != nil {
			return err
		}
		server, err := embedded.Start(ctx, embedded.WithDir(dir), embedded.WithClientPort(port), embedded.WithPeerPort(peerPort), embedded.WithLogger(log))
		if err != nil {
			return err
		}
		defer server.Close()
		select {
		case <-ctx.Done():
			return nil
		case err := <-server.Err():
			return err
		}
	})}
	c.Flags().StringVar(&dir, "dir", "", "data")
	c.Flags().IntVar(&port, "port", 0, "client port")
	c.Flags().IntVar(&peerPort, "peer-port", 0, "peer port")
	return c
}

func collectorChild() *cobra.Command {
	return &cobra.Command{Use: "collector", Args: cobra.NoArgs, RunE: attached(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		otel.SetLoggerProvider(components.Events(os.Stderr))
		return components.Run(ctx, components.Options{Version: Version})
	})}
}

func shopChild() *cobra.Command {
	services := map[string]func(context.Context, string) error{
		"inventory": inventory.Run, "orders": orders.Run, "storefront": storefront.Run,
	}
	return &cobra.Command{Use: "shop SERVICE INSTANCE", Args: cobra.ExactArgs(2), RunE: attached(func(ctx context.Context, _ *cobra.Command, args []string) error {
		run := services[args[0]]
		if run == nil {
			return fmt.Errorf("the shop has no service %q", args[0])
		}
		return run(ctx, args[1])
	})}
}

// loadChild is the demo's customers, who reach the storefront as any client of the
// platform would: through the router.
func loadChild() *cobra.Command {
	var dataDir, customers string
	var rate int
	var base time.Duration
	c := &cobra.Command{Use: "load", Args: cobra.NoArgs, RunE: attached(func(ctx context.Context, _ *cobra.Command, _ []string) (err error) {
		t, err := otelplat.Start(ctx, otelplat.WithServiceName("load"), otelplat.WithInstanceID("load-1"))
		if err != nil {
			return err
		}
		defer func() {
			flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
			defer cancel()
			err = errors.Join(err, t.Shutdown(flush))
		}()
		client, err := coord.Open(coord.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, client.Close()) }()
		directory, err := discovery.Etcd(client).Directory(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, directory.Close()) }()
		signals := signal.Etcd(client)
		defer func() { err = errors.Join(err, signals.Close()) }()
		documents, overrides := rules.Etcd(client), override.Etcd(client)
		defer func() { err = errors.Join(err, documents.Close(), overrides.Close()) }()
		r, err := router.New(directory, router.WithSignals(signals), router.WithSignalMeter(t.SignalMeter()), router.WithEjectionBase(base),
			router.WithRules(documents), router.WithOverrides(overrides), router.WithCaller("load-1", map[string]string{"service": "load"}))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		if err := r.Ready(ctx, "storefront"); err != nil {
			return err
		}
		dir := datadir.At(dataDir)
		tokens := make(map[string]func() string)
		for name := range strings.SplitSeq(customers, ",") {
			tokens[name] = func() string {
				text, _ := os.ReadFile(dir.TokenPath(name)) // without a token the request is refused, and counted
				return strings.TrimSpace(string(text))
			}
		}
		load.Run(ctx, load.Options{
			Rate: rate, Shop: "http://storefront", Tokens: tokens,
			// No span here: a trace of the shop begins at its door, as it does with
			// customers who know nothing of tracing.
			Client: &http.Client{Transport: r.Transport(nil)},
			Report: func(l datadir.Load) {
				if err := dir.WriteLoad(l); err != nil {
					slog.Warn("load", "error", err)
				}
			},
		})
		return nil
	})}
	c.Flags().StringVar(&dataDir, "data-dir", "", "data directory of up")
	c.Flags().StringVar(&customers, "customers", "", "names")
	c.Flags().IntVar(&rate, "rate", 50, "requests a second")
	c.Flags().DurationVar(&base, "ejection-base", 0, "of the router")
	return c
}
