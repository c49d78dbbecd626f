// SPDX-License-Identifier: Apache-2.0

// Command config reads one typed configuration from defaults, a file, the environment
// and a document in etcd, and follows it: an operator changes the document, makes a
// mistake, and rolls back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/otelplat/platform/configsrc"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/examples/internal/local"
)

// settings is what the service wants to know. A configuration that Validate refuses is
// not applied; the one before stays in force.
type settings struct {
	Timeout time.Duration `config:"timeout"`
	Retries int           `config:"retries"`
	Banner  string        `config:"banner"`
}

func (s settings) Validate() error {
	if s.Timeout <= 0 || s.Timeout > time.Minute {
		return errors.New("timeout: must be more than 0 and at most 1m")
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("config", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	client, stop, err := local.Etcd(ctx) // a service: coord.Open()
	if err != nil {
		return err
	}
	defer stop()
	// What a deployment brings: a file, and the environment.
	dir, err := os.MkdirTemp("", "otelplat-example-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what stays is in the system's temporary folder
	path := filepath.Join(dir, "orders.yaml")
	if err := os.WriteFile(path, []byte("timeout: 2s\nbanner: from the file\n"), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("ORDERS_RETRIES", "5"); err != nil {
		return err
	}

	// A later layer goes before an earlier one; what no layer sets keeps its default.
	live, err := configsrc.Open(ctx, settings{Timeout: time.Second, Retries: 2, Banner: "none"},
		configsrc.File(path), configsrc.Env("ORDERS_"), configsrc.Document(client, "orders"))
	if err != nil {
		return err // a bad file or environment: a program should not start on it
	}
	defer live.Close()                          //nolint:errcheck // nothing of it is needed any more
	if err := live.WaitReady(ctx); err != nil { // only for who cannot begin without the document
		return err
	}
	fmt.Fprintf(out, "at first: %+v\n", live.Get()) // lock-free: ask again for every request
	updates := live.Updates(ctx)

	// The operator's side. Every revision stays, with who wrote it and why; of two
	// operators who saw the same revision (Expect) one gets a conflict.
	documents := versioned.New(client, versioned.Config)
	by := func(reason string, saw int64) versioned.PutOptions {
		return versioned.PutOptions{Author: "ada", Reason: reason, Expect: saw}
	}
	good, err := documents.Put(ctx, "orders", []byte("timeout: 250ms\nbanner: sale"), by("the sale begins", 0))
	if err != nil {
		return err
	}
	if _, open := <-updates; !open {
		return ctx.Err()
	}
	fmt.Fprintf(out, "changed:  %+v\n", live.Get())

	bad, err := documents.Put(ctx, "orders", []byte("timeout: 250s"), by("more time", good.Number))
	if err != nil {
		return err
	}
	// A refusal changes nothing and is told. It is an event in telemetry, and Err is what
	// a health check looks at.
	for live.Err() == nil {
		if _, open := <-updates; !open {
			return ctx.Err()
		}
	}
	fmt.Fprintf(out, "refused:  %v\n", live.Err())
	fmt.Fprintf(out, "in force: %+v\n", live.Get())

	if _, err := documents.Rollback(ctx, "orders", good.Number, by("that was a mistake", bad.Number)); err != nil {
		return err
	}
	for live.Err() != nil {
		if _, open := <-updates; !open {
			return ctx.Err()
		}
	}
	fmt.Fprintf(out, "restored: %+v\n", live.Get())
	history, err := documents.History(ctx, "orders", 0)
	if err != nil {
		return err
	}
	for _, r := range history {
		fmt.Fprintf(out, "revision %d by %s: %s\n", r.Number, r.Author, r.Reason)
	}
	return nil
}
