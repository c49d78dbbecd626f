// SPDX-License-Identifier: Apache-2.0

// Command router calls a service by its name. Of three instances one begins to fail:
// the router leaves it out, probes it, and takes it back when it is well.
package main

import (
	"context"
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
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/examples/internal/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("router", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	var broken atomic.Bool // inventory-3 fails
	var instances []discovery.Instance
	for _, id := range []string{"inventory-1", "inventory-2", "inventory-3"} {
		address, stop, err := local.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if id == "inventory-3" && broken.Load() {
				http.Error(w, "the disk is full", http.StatusInternalServerError)
			}
		}))
		if err != nil {
			return err
		}
		defer stop()
		instances = append(instances, discovery.Instance{
			Service: "inventory", ID: id, Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: address}},
		})
	}
	// A table is a directory whose instances are known; a service has discovery.Etcd,
	// as in examples/discovery.
	directory, err := discovery.Static(instances...)
	if err != nil {
		return err
	}
	// An ejection lasts 30 s by default. With router.WithSignals the fleet's
	// measurements count too, so that one router's five failures spare all others theirs.
	r, err := router.New(directory, router.WithEjectionBase(500*time.Millisecond))
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // it returns nil
	// The host of a URL is now the name of a service.
	client := &http.Client{Transport: r.Transport(nil), Timeout: time.Second}
	defer client.CloseIdleConnections()

	requests, failed, err := send(ctx, client, func(sent int) (bool, error) { return sent == 30, nil })
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "all are well: %d requests, %d failed\n", requests, failed)

	broken.Store(true)
	_, failed, err = send(ctx, client, is(r, router.Ejected))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "inventory-3 is out after %d failures\n", failed)
	choices, err := r.Explain("inventory") // what the router thinks of each instance, by id
	if err != nil {
		return err
	}
	for _, c := range choices {
		fmt.Fprintf(out, "  %s: %s, weight %.0f, why: %q\n", c.Member.ID, c.State, c.Weight, c.Reason)
	}

	// A probe is one request at a time. Three that succeed bring it back, with a part
	// of its traffic that grows for five seconds.
	broken.Store(false)
	_, failed, err = send(ctx, client, is(r, router.Ramping))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "inventory-3 is back, and no request failed meanwhile: %v\n", failed == 0)
	return nil
}

// send sends requests one after the other until done says so.
func send(ctx context.Context, client *http.Client, done func(sent int) (bool, error)) (requests, failed int, err error) {
	for {
		status, _, err := local.Get(ctx, client, "http://inventory/stock/42", "")
		if err != nil {
			return requests, failed, err
		}
		requests++
		if status != http.StatusOK {
			failed++
		}
		if ok, err := done(requests); ok || err != nil {
			return requests, failed, err
		}
	}
}

// is returns whether inventory-3 is in a state, by the router's own word.
func is(r *router.Router, state router.State) func(int) (bool, error) {
	return func(int) (bool, error) {
		choices, err := r.Explain("inventory")
		if err != nil {
			return false, err
		}
		return choices[2].State == state, nil // in the order of ids
	}
}
