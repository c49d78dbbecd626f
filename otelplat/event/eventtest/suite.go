// SPDX-License-Identifier: Apache-2.0

// Package eventtest holds what every bus of events must do: an implementation of
// [event.Bus] runs [Bus] in a test of its own.
package eventtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat/event"
	"go.opentelemetry.io/otel/trace"
)

// patience is how long the suite waits for what must happen, and quiet for what
// must not.
const (
	patience = 30 * time.Second
	quiet    = 300 * time.Millisecond
)

// retryDelay is short, so that the suite does not take minutes.
const retryDelay = 20 * time.Millisecond

// Bus runs the suite. Open returns a new and empty bus whose publisher is the
// service "tester"; the suite closes it.
func Bus(t *testing.T, open func(t *testing.T) event.Bus) {
	for name, f := range map[string]func(*testing.T, event.Bus){
		"an event arrives as it was published":                         arrives,
		"each name gets every event, and shares it":                    shares,
		"what happens while nobody listens waits":                      waits,
		"a new subscription begins with the next event, or the oldest": begins,
		"a subscription gets the types that it asks for":               filters,
		"an event that failed comes again":                             retries,
		"an event that cannot be handled becomes a dead letter":        buries,
		"an event that hangs holds up nobody else":                     hangs,
		"events of one key come in their order":                        orders,
		"an event that is published twice is stored once":              deduplicates,
		"a handler's context carries the publisher's trace":            traces,
		"what cannot be used is named":                                 refuses,
		"an ended context publishes nothing":                           cancelled,
		"a closed bus says so":                                         closed,
	} {
		t.Run(name, func(t *testing.T) {
			bus := open(t)
			defer func() {
				if err := bus.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			f(t, bus)
		})
	}
}

// inbox is a handler that keeps what it gets.
type inbox struct {
	mu     sync.Mutex
	got    []event.Delivery
	notify chan struct{}
}

func newInbox() *inbox { return &inbox{notify: make(chan struct{}, 1)} }

func (i *inbox) handle(_ context.Context, d event.Delivery) error {
	i.mu.Lock()
	i.got = append(i.got, d)
	i.mu.Unlock()
	select {
	case i.notify <- struct{}{}:
	default:
	}
	return nil
}

func (i *inbox) all() []event.Delivery {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]event.Delivery(nil), i.got...)
}

// await waits for n deliveries.
func (i *inbox) await(t *testing.T, n int) []event.Delivery {
	t.Helper()
	deadline := time.After(patience)
	for {
		if got := i.all(); len(got) >= n {
			return got
		}
		select {
		case <-i.notify:
		case <-deadline:
			t.Fatalf("%d of %d events arrived within %v", len(i.all()), n, patience)
		}
	}
}

// only waits for n deliveries and makes sure that no more follow at once.
func (i *inbox) only(t *testing.T, n int) []event.Delivery {
	t.Helper()
	i.await(t, n)
	<-time.After(quiet) // nothing tells that nothing comes
	got := i.all()
	if len(got) != n {
		t.Fatalf("%d events arrived, want %d", len(got), n)
	}
	return got
}

func subscribe(t *testing.T, bus event.Bus, s event.Subscription, h event.Handler) func() {
	t.Helper()
	if s.RetryDelay == 0 {
		s.RetryDelay = retryDelay
	}
	sub, err := bus.Subscribe(t.Context(), s, h)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return func() {
		if err := sub.Close(); err != nil {
			t.Errorf("close of the subscription: %v", err)
		}
	}
}

func publish(t *testing.T, bus event.Bus, events ...event.Event) {
	t.Helper()
	for _, e := range events {
		if err := bus.Publish(t.Context(), e); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
}

// numbered is an event whose data is a number.
func numbered(n int, key string) event.Event {
	return event.Event{Type: "test.numbered", Subject: key, Data: fmt.Append(nil, n)}
}

func arrives(t *testing.T, bus event.Bus) {
	in := newInbox()
	subscribe(t, bus, event.Subscription{Name: "all"}, in.handle)
	want := event.Event{
		ID: "id 1/ü%", Source: "/tester/α?b=c", Type: "test.Order_placed-2", Subject: "order \"7\"",
		Time:            time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC),
		DataContentType: "application/octet-stream", DataSchema: "https://example.com/schema#1",
		Data:       []byte{0, 1, 2, 0xff, '\r', '\n', '%'},
		Extensions: map[string]string{"partitionkey": "k 1", "tenant2": "späti"},
	}
	publish(t, bus, want, event.Event{Type: "test.least"})
	got := in.await(t, 2)
	d := got[0]
	if !d.Time.Equal(want.Time) {
		t.Errorf("time %v, want %v", d.Time, want.Time)
	}
	d.Time = want.Time
	for _, name := range []string{"traceparent", "tracestate"} {
		delete(d.Extensions, name)
	}
	if !reflect.DeepEqual(d.Event, want) {
		t.Errorf("got  %+v\nwant %+v", d.Event, want)
	}
	if d.Service != "tester" || d.Attempt != 1 || d.Sequence == 0 || d.Stored.IsZero() {
		t.Errorf("delivery %+v", d)
	}
	least := got[1]
	if least.ID == "" || least.Source != "/tester" || least.Time.IsZero() || len(least.Data) != 0 || least.Sequence <= d.Sequence {
		t.Errorf("an event with a type only: %+v", least)
	}
}

func shares(t *testing.T, bus event.Bus) {
	var one, two, other inbox
	one.notify, two.notify, other.notify = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	subscribe(t, bus, event.Subscription{Name: "shared"}, one.handle)
	subscribe(t, bus, event.Subscription{Name: "shared"}, two.handle)
	subscribe(t, bus, event.Subscription{Name: "other"}, other.handle)
	const n = 40
	for i := range n {
		publish(t, bus, numbered(i, strconv.Itoa(i)))
	}
	other.only(t, n)
	deadline := time.After(patience)
	for len(one.all())+len(two.all()) < n {
		select {
		case <-one.notify:
		case <-two.notify:
		case <-deadline:
			t.Fatalf("%d and %d of %d events arrived", len(one.all()), len(two.all()), n)
		}
	}
	seen := make(map[string]int)
	for _, d := range append(one.all(), two.all()...) {
		seen[string(d.Data)]++
	}
	for data, times := range seen {
		if times != 1 {
			t.Errorf("event %s came %d times to one name", data, times)
		}
	}
}

func waits(t *testing.T, bus event.Bus) {
	in := newInbox()
	stop := subscribe(t, bus, event.Subscription{Name: "durable"}, in.handle)
	publish(t, bus, numbered(1, ""))
	in.await(t, 1)
	stop()
	publish(t, bus, numbered(2, ""), numbered(3, ""))
	again := newInbox()
	subscribe(t, bus, event.Subscription{Name: "durable"}, again.handle)
	got := again.only(t, 2)
	if string(got[0].Data) != "2" || string(got[1].Data) != "3" {
		t.Errorf("got %s and %s, want 2 and 3", got[0].Data, got[1].Data)
	}
}

func begins(t *testing.T, bus event.Bus) {
	publish(t, bus, numbered(1, ""))
	next, oldest, person := newInbox(), newInbox(), newInbox()
	subscribe(t, bus, event.Subscription{Name: "next"}, next.handle)
	subscribe(t, bus, event.Subscription{Name: "oldest", All: true}, oldest.handle)
	stop := subscribe(t, bus, event.Subscription{Ephemeral: true, All: true}, person.handle)
	person.await(t, 1)
	publish(t, bus, numbered(2, ""))
	if got := next.only(t, 1); string(got[0].Data) != "2" {
		t.Errorf("got %s, want the event after the subscription began", got[0].Data)
	}
	oldest.only(t, 2)
	person.await(t, 2)
	stop()
}

func filters(t *testing.T, bus event.Bus) {
	one, prefix, nobody := newInbox(), newInbox(), newInbox()
	subscribe(t, bus, event.Subscription{Name: "one", Types: []string{"test.a.b", "test.c"}}, one.handle)
	subscribe(t, bus, event.Subscription{Name: "prefix", Types: []string{"test.a.*"}, Service: "tester"}, prefix.handle)
	subscribe(t, bus, event.Subscription{Name: "nobody", Service: "another"}, nobody.handle)
	for _, name := range []string{"test.a.b", "test.a.b.c", "test.ab", "test.c", "test"} {
		publish(t, bus, event.Event{Type: name})
	}
	types := func(ds []event.Delivery) (list []string) {
		for _, d := range ds {
			list = append(list, d.Type)
		}
		return list
	}
	if got := types(one.only(t, 2)); !reflect.DeepEqual(got, []string{"test.a.b", "test.c"}) {
		t.Errorf("two types: %v", got)
	}
	if got := types(prefix.only(t, 2)); !reflect.DeepEqual(got, []string{"test.a.b", "test.a.b.c"}) {
		t.Errorf("a prefix: %v", got)
	}
	nobody.only(t, 0)
}

func retries(t *testing.T, bus event.Bus) {
	in := newInbox()
	subscribe(t, bus, event.Subscription{Name: "failing", Concurrency: 4}, func(ctx context.Context, d event.Delivery) error {
		switch {
		case d.Subject == "fails" && d.Attempt < 3:
			return errors.New("not yet")
		case d.Subject == "panics" && d.Attempt < 2:
			panic("at the disco")
		case d.Subject == "later" && d.Attempt < 2:
			return event.RetryAfter(errors.New("later"), 50*time.Millisecond)
		}
		return in.handle(ctx, d)
	})
	publish(t, bus, numbered(1, "fails"), numbered(2, "panics"), numbered(3, "later"), numbered(4, "well"))
	attempts := make(map[string]int)
	for _, d := range in.only(t, 4) {
		attempts[d.Subject] = d.Attempt
	}
	if want := map[string]int{"fails": 3, "panics": 2, "later": 2, "well": 1}; !maps.Equal(attempts, want) {
		t.Errorf("attempts %v, want %v", attempts, want)
	}
}

func buries(t *testing.T, bus event.Bus) {
	in := newInbox()
	subscribe(t, bus, event.Subscription{Name: "burying", MaxAttempts: 2, Concurrency: 2}, func(ctx context.Context, d event.Delivery) error {
		switch d.Subject {
		case "poisoned":
			return errors.New("it cannot be read")
		case "final":
			return event.Terminate(errors.New("it never will"))
		}
		return in.handle(ctx, d)
	})
	publish(t, bus, numbered(1, "poisoned"), numbered(2, "final"), numbered(3, "well"))
	in.await(t, 1)
	letters := awaitDead(t, bus, "burying", 2)
	byKey := make(map[string]event.DeadLetter)
	for _, l := range letters {
		byKey[l.Subject] = l
	}
	for key, want := range map[string]struct {
		attempts int
		reason   string
	}{"poisoned": {2, "it cannot be read"}, "final": {1, "it never will"}} {
		l := byKey[key]
		if l.Attempts != want.attempts || !strings.Contains(l.Reason, want.reason) || l.Type != "test.numbered" ||
			l.Service != "tester" || l.Sequence == 0 || l.Buried.IsZero() || len(l.Data) != 1 {
			t.Errorf("dead letter %q: %+v", key, l)
		}
	}
	if one, err := bus.DeadLetters(t.Context(), "burying", 1); err != nil || len(one) != 1 {
		t.Errorf("one letter: %v, %v", one, err)
	}
	if none, err := bus.DeadLetters(t.Context(), "another", 10); err != nil || len(none) != 0 {
		t.Errorf("letters of another subscription: %v, %v", none, err)
	}
}

func awaitDead(t *testing.T, bus event.Bus, subscription string, n int) []event.DeadLetter {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		letters, err := bus.DeadLetters(t.Context(), subscription, event.MaxDeadLetters)
		if err != nil {
			t.Fatalf("dead letters: %v", err)
		}
		if len(letters) >= n {
			return letters
		}
		select {
		case <-deadline:
			t.Fatalf("%d of %d dead letters within %v", len(letters), n, patience)
		case <-tick.C:
		}
	}
}

func hangs(t *testing.T, bus event.Bus) {
	in := newInbox()
	release, returned := make(chan struct{}), make(chan struct{})
	stop := subscribe(t, bus, event.Subscription{Name: "hanging", Concurrency: 2, Timeout: 100 * time.Millisecond}, func(ctx context.Context, d event.Delivery) error {
		if d.Subject == "hangs" && d.Attempt == 1 {
			defer close(returned)
			<-release // its context has ended long before
			return nil
		}
		return in.handle(ctx, d)
	})
	other := newInbox()
	subscribe(t, bus, event.Subscription{Name: "beside"}, other.handle)
	publish(t, bus, numbered(0, "hangs"))
	for i := range 30 {
		publish(t, bus, numbered(i+1, strconv.Itoa(i)))
	}
	other.await(t, 31)
	got := in.await(t, 31)
	if last := got[len(got)-1]; last.Subject != "hangs" || last.Attempt < 2 {
		t.Errorf("the last is %q in attempt %d, want the one that hung, in its second", last.Subject, last.Attempt)
	}
	close(release)
	<-returned
	stop()
}

func orders(t *testing.T, bus event.Bus) {
	in := newInbox()
	subscribe(t, bus, event.Subscription{Name: "ordered", Concurrency: 8}, in.handle)
	const keys, each = 5, 20
	for i := range each {
		for k := range keys {
			e := numbered(i, fmt.Sprintf("subject-%d", i))
			e.Extensions = map[string]string{event.PartitionKey: strconv.Itoa(k)}
			publish(t, bus, e)
		}
	}
	next := make(map[string]int)
	for _, d := range in.await(t, keys*each) {
		if want := strconv.Itoa(next[d.Key()]); string(d.Data) != want {
			t.Fatalf("key %s: event %s came when %s was next", d.Key(), d.Data, want)
		}
		next[d.Key()]++
	}
}

func deduplicates(t *testing.T, bus event.Bus) {
	in := newInbox()
	subscribe(t, bus, event.Subscription{Name: "once"}, in.handle)
	e := numbered(1, "")
	e.ID = event.NewID()
	elsewhere := e
	elsewhere.Source = "/elsewhere"
	publish(t, bus, e, e, elsewhere)
	in.only(t, 2)
}

func traces(t *testing.T, bus event.Bus) {
	traceID := trace.TraceID{1, 2, 3}
	got := make(chan trace.SpanContext, 1)
	subscribe(t, bus, event.Subscription{Name: "traced"}, func(ctx context.Context, _ event.Delivery) error {
		got <- trace.SpanContextFromContext(ctx)
		return nil
	})
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: trace.SpanID{4}, TraceFlags: trace.FlagsSampled,
	}))
	if err := bus.Publish(ctx, numbered(1, "")); err != nil {
		t.Fatal(err)
	}
	select {
	case sc := <-got:
		if sc.TraceID() != traceID {
			t.Errorf("trace %s, want %s", sc.TraceID(), traceID)
		}
	case <-time.After(patience):
		t.Fatal("the event did not arrive")
	}
}

func refuses(t *testing.T, bus event.Bus) {
	long := strings.Repeat("x", event.MaxText+1)
	for field, e := range map[string]event.Event{
		"id":                {ID: long, Type: "t"},
		"source":            {Source: "a\nb", Type: "t"},
		"type":              {Type: "a..b"},
		"type ":             {Type: "a b"},
		"type  ":            {},
		"subject":           {Type: "t", Subject: "\xff"},
		"datacontenttype":   {Type: "t", DataContentType: long},
		"dataschema":        {Type: "t", DataSchema: long},
		"data":              {Type: "t", Data: make([]byte, event.MaxData+1)},
		"extensions":        {Type: "t", Extensions: map[string]string{"Upper": "x"}},
		"extensions ":       {Type: "t", Extensions: map[string]string{"source": "x"}},
		"extension tenant":  {Type: "t", Extensions: map[string]string{"tenant": "a\x00b"}},
		"extension tenant ": {Type: "t", Extensions: map[string]string{"tenant": strings.Repeat("x", event.MaxExtension+1)}},
	} {
		wantField(t, bus.Publish(t.Context(), e), strings.TrimSpace(field))
	}
	handler := func(context.Context, event.Delivery) error { return nil }
	for field, s := range map[string]event.Subscription{
		"subscription's name":        {},
		"subscription's name ":       {Name: "a.b"},
		"subscription's types":       {Name: "a", Types: []string{"a.>"}},
		"subscription's concurrency": {Name: "a", Concurrency: event.MaxConcurrency + 1},
		"subscription's timeout":     {Name: "a", Timeout: -1},
		"subscription's attempts":    {Name: "a", MaxAttempts: -1},
		"subscription's retry delay": {Name: "a", RetryDelay: time.Hour},
		"subscription's service":     {Name: "a", Service: long},
	} {
		_, err := bus.Subscribe(t.Context(), s, handler)
		wantField(t, err, strings.TrimSpace(field))
	}
	_, err := bus.Subscribe(t.Context(), event.Subscription{Name: "a"}, nil)
	wantField(t, err, "subscription's handler")
	_, err = bus.DeadLetters(t.Context(), "a", 0)
	wantField(t, err, "limit")
	_, err = bus.DeadLetters(t.Context(), "", 1)
	wantField(t, err, "subscription's name")
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	var e *event.Error
	if !errors.As(err, &e) || e.Field != field {
		t.Errorf("error %v, want one that names %q", err, field)
	}
}

func cancelled(t *testing.T, bus event.Bus) {
	in := newInbox()
	subscribe(t, bus, event.Subscription{Name: "all"}, in.handle)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := bus.Publish(ctx, numbered(1, "")); !errors.Is(err, context.Canceled) {
		t.Errorf("publish: %v, want that the context has ended", err)
	}
	if _, err := bus.DeadLetters(ctx, "all", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("dead letters: %v, want that the context has ended", err)
	}
	in.only(t, 0)
}

func closed(t *testing.T, bus event.Bus) {
	in := newInbox()
	subscribe(t, bus, event.Subscription{Name: "all"}, in.handle)
	for range 2 {
		if err := bus.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := bus.Publish(t.Context(), numbered(1, "")); !errors.Is(err, event.ErrClosed) {
		t.Errorf("publish: %v", err)
	}
	if _, err := bus.Subscribe(t.Context(), event.Subscription{Name: "all"}, in.handle); !errors.Is(err, event.ErrClosed) {
		t.Errorf("subscribe: %v", err)
	}
	if _, err := bus.DeadLetters(t.Context(), "all", 1); !errors.Is(err, event.ErrClosed) {
		t.Errorf("dead letters: %v", err)
	}
}
