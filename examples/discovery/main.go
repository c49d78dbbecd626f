// SPDX-License-Identifier: Apache-2.0

// Command discovery announces the instances of a service and follows them: they come,
// one drains, one leaves, one loses its place in etcd and takes it again.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/examples/internal/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("discovery", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	client, stop, err := local.Etcd(ctx) // a service: coord.Open()
	if err != nil {
		return err
	}
	defer stop()

	// The side that calls: a copy of the directory in memory. Reading it never waits
	// for etcd, and while etcd is away it keeps what it had.
	directory, err := discovery.Etcd(client).Directory(ctx)
	if err != nil {
		return err
	}
	defer directory.Close() //nolint:errcheck // it returns nil

	// The side that is called. Register returns at once and announces for as long as
	// the process lives, also after etcd was away or lost its data.
	first, err := announce(ctx, client, "inventory-1", "127.0.0.1:7001")
	if err != nil {
		return err
	}
	second, err := announce(ctx, client, "inventory-2", "127.0.0.1:7002")
	if err != nil {
		return errors.Join(err, first.Close(ctx))
	}
	if err := show(ctx, out, directory, "both came", "inventory-1 up", "inventory-2 up"); err != nil {
		return err
	}

	// Before an instance stops it drains: it takes no new requests, and finishes
	// those that it has.
	if err := first.Drain(); err != nil {
		return err
	}
	if err := show(ctx, out, directory, "one drains", "inventory-1 draining", "inventory-2 up"); err != nil {
		return err
	}
	// Close says "down" before it leaves, so that nobody takes it for a loss.
	if err := first.Close(ctx); err != nil {
		return err
	}
	if err := show(ctx, out, directory, "it left", "inventory-2 up"); err != nil {
		return err
	}

	// An operator deletes a key by mistake. More than half of the instances gone at once
	// and without a word is more likely etcd's trouble than theirs: the directory keeps
	// this one, unconfirmed, and at its next renewal it announces itself again.
	if _, err := client.Etcd().Delete(ctx, client.Key("discovery", "inventory", "inventory-2")); err != nil {
		return err
	}
	if err := show(ctx, out, directory, "one vanished", "inventory-2 up, unconfirmed"); err != nil {
		return err
	}
	return second.Close(ctx)
}

func announce(ctx context.Context, client *coord.Client, id, address string) (discovery.Registration, error) {
	return discovery.Etcd(client).Register(ctx, discovery.Instance{
		Service: "inventory", ID: id, Version: "1.4.0", Zone: "eu-1a",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: address}},
	})
}

// show waits until the directory has these members, and prints them. Updates holds one
// mark: many changes at once wake a reader once, who then looks at the newest state.
func show(ctx context.Context, out io.Writer, d discovery.Directory, what string, want ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range d.Updates(ctx) {
		var got []string
		for _, m := range d.Members("inventory") {
			line := m.ID + " " + string(m.Status)
			if m.Unconfirmed {
				line += ", unconfirmed"
			}
			got = append(got, line)
		}
		if fmt.Sprint(got) == fmt.Sprint(want) {
			fmt.Fprintf(out, "%s: %q\n", what, got)
			return nil
		}
	}
	return fmt.Errorf("waiting for %q: %w", want, ctx.Err())
}
