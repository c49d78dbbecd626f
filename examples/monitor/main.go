// SPDX-License-Identifier: Apache-2.0

// Command monitor says whether a service works, without ever waiting for the answer:
// a check that fails takes the service out of rotation, one that hangs slows nobody,
// and one that is less than critical only degrades it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/examples/internal/local"
	"github.com/otelplat/platform/otelplat/health"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("monitor", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	checks := health.New(health.WithLogger(slog.New(slog.DiscardHandler)))
	defer func() { err = errors.Join(err, checks.Shutdown(context.WithoutCancel(ctx))) }()

	// Every check runs in the background; whoever asks reads the last results.
	var away atomic.Bool
	database := func(context.Context) error {
		if away.Load() {
			return errors.New("connection refused")
		}
		return nil
	}
	over := make(chan struct{})
	defer close(over)
	hangs := func(context.Context) error { // and does not heed its context
		<-over
		return nil
	}
	if err := errors.Join(
		checks.Add("database", database, health.WithInterval(100*time.Millisecond), health.WithThreshold(1)),
		checks.Add("recommendations", hangs, health.WithTimeout(100*time.Millisecond), health.WithSeverity(health.Degraded)),
	); err != nil {
		return err
	}

	// The fleet hears of the status as soon as it changes.
	fleet := discovery.Memory() // a service: discovery.Etcd(client)
	directory, err := fleet.Directory(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	instance, err := fleet.Register(ctx, discovery.Instance{
		Service: "orders", ID: "orders-1", Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:8080"}},
	}, discovery.WithStatusUpdates(checks.Updates), discovery.WithStatus(func() discovery.Status {
		if checks.Status().Ready() {
			return discovery.Up
		}
		return discovery.Down
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, instance.Close(context.WithoutCancel(ctx))) }()

	address, stop, err := local.Serve(ctx, checks.Handler()) // /livez, /readyz, /healthz
	if err != nil {
		return err
	}
	defer stop()
	// ask waits until the fleet sees the status, and prints what everybody sees.
	ask := func(what string, want health.Status, announced discovery.Status) error {
		updates, told := checks.Updates(ctx), directory.Updates(ctx)
		for checks.Status() != want || directory.Members("orders")[0].Status != announced {
			select {
			case <-updates:
			case <-told:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		live, _, err := local.Get(ctx, http.DefaultClient, "http://"+address+health.LivePath, "")
		if err != nil {
			return err
		}
		ready, text, err := local.Get(ctx, http.DefaultClient, "http://"+address+health.ReadyPath, "")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: /livez %d, /readyz %d %s", what, live, ready, text)
		return nil
	}
	if err := ask("recommendations hang", health.Impaired, discovery.Up); err != nil {
		return err
	}
	away.Store(true)
	if err := ask("the database is away", health.Down, discovery.Down); err != nil {
		return err
	}
	for _, r := range checks.Report().Checks {
		fmt.Fprintf(out, "  %s: %s: %s\n", r.Name, r.Status, r.Error)
	}
	away.Store(false)
	return ask("the database is back", health.Impaired, discovery.Up)
}
