// SPDX-License-Identifier: Apache-2.0

// Command event publishes what happened to those who want to know: each subscription
// gets every event, a failure comes again, and what cannot be handled ends among the
// dead letters with its reason, in nobody's way.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otelplat/platform/otelplat/event"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("event", "error", err)
		os.Exit(1)
	}
}

type placed struct {
	Item string `json:"item"`
}

func run(ctx context.Context, out io.Writer) (err error) {
	// A service publishes with event.Publish, through the collector, and subscribes
	// with jetstream.Open. This bus is the one for tests; it promises the same.
	bus := event.NewMemory("orders")
	defer func() { err = errors.Join(err, bus.Close()) }()

	// inventory wants what the shop's orders tell. Its first try of the pen fails, as
	// when a database is away: the event comes again. An item that nobody knows will
	// never succeed: Terminate says so.
	shipped := make(chan string, 16)
	ship := func(_ context.Context, d event.Delivery) error {
		var order placed
		if err := json.Unmarshal(d.Data, &order); err != nil {
			return event.Terminate(err)
		}
		switch {
		case order.Item == "unicorn":
			return event.Terminate(errors.New("nobody sells a unicorn"))
		case order.Item == "pen" && d.Attempt == 1:
			return event.RetryAfter(errors.New("the stock does not answer"), 10*time.Millisecond)
		}
		shipped <- fmt.Sprintf("inventory ships the %s of %s, at attempt %d", order.Item, d.Subject, d.Attempt)
		return nil
	}
	if _, err := bus.Subscribe(ctx, event.Subscription{Name: "inventory", Types: []string{"shop.order.placed"}}, ship); err != nil {
		return err
	}
	// audit is another subscription, so it gets them all too, of every type.
	audited := make(chan string, 16)
	audit := func(_ context.Context, d event.Delivery) error {
		audited <- d.Type
		return nil
	}
	if _, err := bus.Subscribe(ctx, event.Subscription{Name: "audit", Types: []string{"shop.*"}}, audit); err != nil {
		return err
	}

	// Publish returns when the event is stored. The same id again is the same event.
	for i, item := range []string{"book", "unicorn", "pen", "pen"} {
		data, err := json.Marshal(placed{item})
		if err != nil {
			return err
		}
		id := fmt.Sprintf("o-%d", min(i+1, 3)) // the last is the third, published again
		if err := bus.Publish(ctx, event.Event{ID: id, Type: "shop.order.placed", Subject: id, Data: data, DataContentType: "application/json"}); err != nil {
			return err
		}
	}
	if err := bus.Publish(ctx, event.Event{Type: "shop.closed"}); err != nil {
		return err
	}

	for range 4 {
		if _, err := next(ctx, audited); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "audit saw 4 events: what was published twice is one")
	for range 2 {
		line, err := next(ctx, shipped)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, line)
	}
	dead, err := bus.DeadLetters(ctx, "inventory", 10)
	if err != nil {
		return err
	}
	for _, d := range dead {
		fmt.Fprintf(out, "given up: %s after %d attempt: %s\n", d.Subject, d.Attempts, d.Reason)
	}
	return nil
}

// next waits for what a handler says.
func next(ctx context.Context, lines <-chan string) (string, error) {
	select {
	case line := <-lines:
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
