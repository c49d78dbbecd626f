// SPDX-License-Identifier: Apache-2.0

// Command plugin runs the key-value store on a backend that is not the platform's:
// package boltkv beside it, one file on this machine. Nothing was registered and nothing
// of the platform knows of it; it has the five methods of kv.Backend, and its test is
// the suite that etcd's backend runs too. The other interfaces are plugged the same way:
// configsrc.Source, policy.Source, authn.Verifier, lock.Locker, router.Directory.
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
	"strconv"
	"syscall"

	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/examples/plugin/boltkv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("plugin", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "otelplat-example-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what stays is in the system's temporary folder
	path := filepath.Join(dir, "state.db")
	// The same program three times: each finds what the one before wrote.
	for range 3 {
		if err := once(ctx, out, path); err != nil {
			return err
		}
	}
	return nil
}

// once is a program that counts how often it ran.
func once(ctx context.Context, out io.Writer, path string) (err error) {
	backend, err := boltkv.Open(path)
	if err != nil {
		return err
	}
	store := kv.New(backend) // from here on it is any store
	defer func() { err = errors.Join(err, store.Close()) }()

	_, err = store.Update(ctx, "runs", func(e kv.Entry) ([]byte, error) {
		n, _ := strconv.Atoi(string(e.Value)) // the key is not there yet: 0
		return strconv.AppendInt(nil, int64(n)+1, 10), nil
	})
	if err != nil {
		return err
	}
	runs, err := store.Get(ctx, "runs")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "run %s\n", runs.Value)

	// What the store refuses it refuses before the backend is asked.
	_, err = store.Put(ctx, "../runs", []byte("7"))
	if _, ok := errors.AsType[*kv.KeyError](err); !ok {
		return fmt.Errorf("the key should have been refused: %w", err)
	}
	return nil
}
