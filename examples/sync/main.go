// SPDX-License-Identifier: Apache-2.0

// Command sync lets one of two processes do a thing at a time, and shows what a lock
// cannot do by itself: stop a holder that was suspended and wakes up too late. Its
// token does.
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
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/examples/internal/local"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("sync", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	client, stop, err := local.Etcd(ctx) // a service: coord.Open()
	if err != nil {
		return err
	}
	defer stop()
	// One locker is one process: what it holds ends when it dies. Two lockers here
	// stand for two processes.
	ada, bob := lock.Open(client), lock.Open(client)
	defer func() { _ = errors.Join(ada.Close(), bob.Close()) }() // what stays ends with its lease

	adas, err := ada.Lock(ctx, "nightly-report")
	if err != nil {
		return err
	}
	// TryLock does not wait, for work that need not be done twice.
	if _, err := bob.TryLock(ctx, "nightly-report"); !errors.Is(err, lock.ErrLocked) {
		return fmt.Errorf("bob should have been told that it is locked: %w", err)
	}
	fmt.Fprintln(out, "ada writes the report, bob does something else")
	if err := write(ctx, client, adas, "first report"); err != nil {
		return err
	}

	// Lock waits for its turn; waiters get it in the order in which they came.
	waited := make(chan error, 1)
	var bobs lock.Held
	go func() {
		var err error
		bobs, err = bob.Lock(ctx, "nightly-report")
		waited <- err
	}()
	if err := adas.Unlock(ctx); err != nil {
		return err
	}
	if err := <-waited; err != nil {
		return err
	}
	later, err := adas.Token().Before(bobs.Token())
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "bob has it now, with a greater token:", later)

	// Ada looks once more and stops by herself. But she could have been suspended
	// between looking and writing, so the write checks the token where it happens.
	fmt.Fprintln(out, "ada still has it:", adas.Valid())
	if err := write(ctx, client, adas, "stale report"); !errors.Is(err, errStale) {
		return fmt.Errorf("ada's late write should have been refused: %w", err)
	}
	fmt.Fprintln(out, "ada writes too late and is refused")
	if err := write(ctx, client, bobs, "second report"); err != nil {
		return err
	}
	store := kv.Open(client)
	defer store.Close() //nolint:errcheck // of etcd's backend it returns nil
	report, err := store.Get(ctx, "report")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "what is there: %s\n", report.Value)
	return bobs.Unlock(ctx)
}

var errStale = errors.New("the lock is another's")

// write writes the report in one transaction with the condition that the lock is still
// held. A store that is not etcd compares tokens: it keeps the greatest that it saw,
// and refuses one that is Before it.
func write(ctx context.Context, client *coord.Client, held lock.Held, text string) error {
	resp, err := client.Etcd().Txn(ctx).
		If(held.Token().Guard()).
		Then(clientv3.OpPut(client.Key("kv", "report"), text)).
		Commit()
	if err == nil && !resp.Succeeded {
		err = errStale
	}
	return err
}
