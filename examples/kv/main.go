// SPDX-License-Identifier: Apache-2.0

// Command kv shares state between the processes of a fleet: a counter that nobody
// loses, two keys that change together, a session that ends by itself, and a watch
// that sees all of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/examples/internal/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("kv", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	client, stop, err := local.Etcd(ctx) // a service: coord.Open()
	if err != nil {
		return err
	}
	defer stop()
	store := kv.Open(client) // a test without etcd: kv.New(kv.Memory())
	defer store.Close()      //nolint:errcheck // of etcd's backend it returns nil

	// Update reads, computes and writes only if nobody wrote in between; else it does
	// so again. So two processes that count never count one thing twice.
	next := func(e kv.Entry) ([]byte, error) {
		n, _ := strconv.Atoi(string(e.Value)) // the key is not there yet: 0
		return strconv.AppendInt(nil, int64(n)+1, 10), nil
	}
	for range 3 {
		if _, err := store.Update(ctx, "orders/last-number", next); err != nil {
			return err
		}
	}
	last, err := store.Get(ctx, "orders/last-number")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "number %s\n", last.Value)

	// A commit writes all or nothing, and only if its conditions hold. Revision 0
	// wants a key to be absent: the second clerk to take order 3 is refused.
	take := func(clerk string) error {
		_, err := store.Commit(ctx,
			[]kv.Condition{{Key: "orders/3/clerk", Revision: 0}},
			[]kv.Operation{{Key: "orders/3/clerk", Value: []byte(clerk)}, {Key: "orders/3/status", Value: []byte("packing")}})
		return err
	}
	if err := take("ada"); err != nil {
		return err
	}
	conflict, ok := errors.AsType[*kv.ConflictError](take("bob"))
	if !ok {
		return errors.New("two clerks have the same order")
	}
	fmt.Fprintf(out, "bob is too late: %s is there already\n", conflict.Key)

	// A watch sends what there is, then Synced, then what changes. It never misses the
	// newest value of a key, and a slow reader holds up nobody.
	changes, err := store.Watch(ctx, "")
	if err != nil {
		return err
	}
	for c := range changes {
		switch {
		case c.Kind == kv.Put:
			fmt.Fprintf(out, "put     %s = %s\n", c.Key, c.Value)
		case c.Kind == kv.Synced:
			// With a TTL a key is there only for as long as somebody writes it again.
			if _, err := store.Put(ctx, "session/ada", []byte("desk 7"), kv.WithTTL(time.Second)); err != nil {
				return err
			}
		case c.Kind == kv.Deleted && c.Key == "session/ada":
			fmt.Fprintf(out, "deleted %s: nobody wrote it again\n", c.Key)
			return nil
		}
	}
	return ctx.Err() // the channel ends with the context
}
