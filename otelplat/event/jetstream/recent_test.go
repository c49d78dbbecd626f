// SPDX-License-Identifier: Apache-2.0

package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
)

// store appends events with ids from..to-1 of a type.
func store(t *testing.T, bus *jetstream.Bus, service, eventType string, from, to int) {
	t.Helper()
	var events []event.Event
	for id := from; id < to; id++ {
		events = append(events, event.Event{ID: strconv.Itoa(id), Type: eventType}.Complete(service))
	}
	if err := bus.Append(t.Context(), service, events...); err != nil {
		t.Fatal(err)
	}
}

// connected waits for a bus's connection.
func connected(t *testing.T, bus *jetstream.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !bus.Connected() {
		select {
		case <-ctx.Done():
			t.Fatal("the bus does not connect")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func recent(t *testing.T, bus *jetstream.Bus, types []string, within time.Duration, limit int) (ids []string, past jetstream.Past) {
	t.Helper()
	past, err := bus.Recent(t.Context(), types, within, limit)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range past.Events {
		ids = append(ids, d.ID)
	}
	return ids, past
}

func TestWhatWasStoredOfLateIsRead(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server, jetstream.WithNamespace("prod"))
	connected(t, bus)
	if _, err := bus.Recent(t.Context(), nil, time.Minute, 10); !errors.Is(err, jetstream.ErrNoStream) {
		t.Fatalf("without a stream: %v", err)
	}
	store(t, bus, "orders", "route.eject", 0, 3)
	store(t, bus, "orders", "shop.placed", 100, 110)
	store(t, bus, "users", "route.effect", 3, 4)

	t.Run("of all services, of the types asked for, oldest first", func(t *testing.T) {
		ids, past := recent(t, bus, []string{"route.eject", "route.effect"}, time.Minute, 10)
		if !slices.Equal(ids, []string{"0", "1", "2", "3"}) || past.More {
			t.Errorf("got %v, more: %v", ids, past.More)
		}
		if d := past.Events[3]; d.Service != "users" || d.Type != "route.effect" || d.Sequence != 14 || d.Stored.IsZero() || past.Now.Before(d.Stored) {
			t.Errorf("got %+v at %v", d, past.Now)
		}
	})
	t.Run("of a type that has none there is none", func(t *testing.T) {
		if ids, past := recent(t, bus, []string{"route.panic"}, time.Minute, 10); len(ids) > 0 || past.More {
			t.Errorf("got %v, more: %v", ids, past.More)
		}
	})
	t.Run("within the time by the server's clock", func(t *testing.T) {
		_, past := recent(t, bus, []string{"route.effect"}, time.Minute, 1)
		last := past.Events[0].Stored
		for { // until the server's clock says that the event is older
			ids, past := recent(t, bus, []string{"route.*"}, time.Millisecond, 10)
			if past.Now.Sub(last) > time.Millisecond {
				if len(ids) > 0 {
					t.Errorf("%v after the last was stored there is %v", past.Now.Sub(last), ids)
				}
				break
			}
		}
	})
	t.Run("nothing stays on the server", func(t *testing.T) {
		conn, err := nats.Connect(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		js, err := natsjs.New(conn)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.Stream(t.Context(), "EVENTS-prod")
		if err != nil {
			t.Fatal(err)
		}
		if n := stream.CachedInfo().State.Consumers; n != 0 {
			t.Errorf("there are %d consumers", n)
		}
	})
	t.Run("what is asked wrongly is named", func(t *testing.T) {
		for field, ask := range map[string]func() error{
			"limit": func() error { _, err := bus.Recent(t.Context(), nil, time.Minute, 0); return err },
			"time":  func() error { _, err := bus.Recent(t.Context(), nil, 0, 1); return err },
			"subscription's types": func() error {
				_, err := bus.Recent(t.Context(), []string{"no name"}, time.Minute, 1)
				return err
			},
		} {
			if e, ok := errors.AsType[*event.Error](ask()); !ok || e.Field != field {
				t.Errorf("%s: %v", field, e)
			}
		}
	})
	t.Run("a server that is gone is an error within the deadline", func(t *testing.T) {
		server.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := bus.Recent(ctx, nil, time.Minute, 1); err == nil {
			t.Error("there is no error")
		}
	})
}

func TestWhereOlderEventsMadeRoomItIsKnownSinceWhen(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server, jetstream.WithRetention(time.Hour, event.MaxData), jetstream.WithOldestDiscarded())
	connected(t, bus)
	store(t, bus, "orders", "route.eject", 0, 1)
	if _, past := recent(t, bus, nil, time.Hour, 10); !past.Since.IsZero() {
		t.Errorf("while all events are there they are since %v", past.Since)
	}
	large := event.Event{Type: "large", Data: make([]byte, 400<<10)}
	for range 2 {
		if err := bus.Append(t.Context(), "users", large.Complete("users")); err != nil {
			t.Fatal(err)
		}
	}
	_, last := recent(t, bus, []string{"large"}, time.Hour, 10)
	if ids, past := recent(t, bus, []string{"route.*"}, time.Hour, 10); len(ids) > 0 || past.More || !past.Since.Equal(last.Events[0].Stored) {
		t.Errorf("got %v, since %v, want nothing, since %v", ids, past.Since, last.Events[0].Stored)
	}
	for { // until the server's clock says that all of the time asked for is known
		_, past := recent(t, bus, nil, time.Millisecond, 10)
		if past.Since.IsZero() {
			break
		}
		if past.Now.Sub(past.Since) > time.Millisecond {
			t.Fatalf("at %v all of the last millisecond is known, but it is said since %v", past.Now, past.Since)
		}
	}
}

func TestOfEventsThatAreTooLargeTogetherTheNewestAreRead(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server)
	connected(t, bus)
	const all, size = 40, event.MaxData
	for i := range all {
		e := event.Event{ID: strconv.Itoa(i), Type: "large", Data: make([]byte, size)}
		if err := bus.Append(t.Context(), "orders", e.Complete("orders")); err != nil {
			t.Fatal(err)
		}
	}
	ids, past := recent(t, bus, nil, time.Hour, all)
	if n := len(ids); n != jetstream.MaxRecentBytes/size-1 || ids[n-1] != strconv.Itoa(all-1) || ids[0] != strconv.Itoa(all-n) || !past.More || past.Late {
		t.Errorf("got %v, more: %v, late: %v, want the newest 31 of %d", ids, past.More, past.Late, all)
	}
}

func TestOfTooManyTheNewestAreRead(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server)
	const all = 1000
	connected(t, bus)
	for i := range 10 { // what is asked for lies among what is not, unevenly
		store(t, bus, "orders", "other", 10_000+1000*i, 10_000+1000*i+37*i)
		store(t, bus, "orders", "route.eject", i*all/10, (i+1)*all/10)
	}
	for _, limit := range []int{1, 2, 3, 10, 64, 501, 999} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			ids, past := recent(t, bus, []string{"route.*"}, time.Hour, limit)
			if len(ids) > limit || len(ids) < max(limit/2, 1) || !past.More {
				t.Fatalf("got %d events, more: %v; want %d to %d", len(ids), past.More, limit/2, limit)
			}
			for i, id := range ids {
				if want := strconv.Itoa(all - len(ids) + i); id != want {
					t.Fatalf("the event at %d is %s, want %s", i, id, want)
				}
			}
		})
	}
	if ids, past := recent(t, bus, []string{"route.*"}, time.Hour, all); len(ids) != all || past.More {
		t.Errorf("as many as the limit are %d, more: %v", len(ids), past.More)
	}
}
