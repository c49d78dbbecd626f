// SPDX-License-Identifier: Apache-2.0

package jetstream_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/eventtest"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, s *natstest.Server, opts ...jetstream.Option) *jetstream.Bus {
	t.Helper()
	bus, err := jetstream.Open(append([]jetstream.Option{
		jetstream.WithURL(s.URL()), jetstream.WithService("tester"), jetstream.WithNamespace(event.NewID()),
		jetstream.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return bus
}

func TestBus(t *testing.T) {
	server := natstest.NewServer(t)
	// A namespace of its own makes a bus an empty one.
	eventtest.Bus(t, func(t *testing.T) event.Bus { return open(t, server) })
}

func TestAMessageIsACloudEventInBinaryMode(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server, jetstream.WithNamespace("prod.eu"), jetstream.WithService("my shop"))
	if err := bus.Publish(t.Context(), event.Event{
		ID: "7", Source: "/a b", Type: "shop.order.placed", Subject: "ü\"%", DataContentType: "text/plain",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600)), Data: []byte("x"),
		Extensions: map[string]string{"tenant": "t"},
	}); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := natsjs.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "EVENTS-prod%2Eeu")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if msg.Subject != "events.prod%2Eeu.my%20shop.shop.order.placed" || string(msg.Data) != "x" {
		t.Errorf("subject %q, data %q", msg.Subject, msg.Data)
	}
	// These are final: other programs read them.
	for name, want := range map[string]string{
		"ce-id": "7", "ce-source": "/a%20b", "ce-specversion": "1.0", "ce-type": "shop.order.placed", "ce-subject": "%C3%BC%22%25",
		"ce-time": "2026-01-02T02:04:05.0000006Z", "ce-datacontenttype": "text/plain", "ce-tenant": "t",
		"Nats-Msg-Id": "E18_XOQb6AGOrscHjsieSQJzEz2EY8LhquPUwXzeI9A",
	} {
		if got := msg.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
}

func TestWhatIsNoEventIsPassedOver(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server, jetstream.WithNamespace("ns"))
	got := make(chan event.Delivery, 1)
	if _, err := bus.Subscribe(t.Context(), event.Subscription{Name: "all"}, func(_ context.Context, d event.Delivery) error {
		got <- d
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, m := range []*nats.Msg{
		{Subject: "events.ns.other.t", Data: []byte("no headers")},
		{Subject: "events.ns.short", Data: []byte("no type"), Header: nats.Header{"ce-id": {"1"}}},
		{Subject: "events.ns.other.t", Header: nats.Header{"ce-id": {"1"}, "ce-source": {"/x"}, "ce-type": {"t"}, "ce-specversion": {"9"}}},
		{Subject: "events.ns.other.t", Header: nats.Header{"ce-id": {"%zz"}}},
	} {
		if _, err := conn.RequestMsg(m, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if err := bus.Publish(t.Context(), event.Event{Type: "real"}); err != nil {
		t.Fatal(err)
	}
	if d := <-got; d.Type != "real" || d.Sequence != 5 {
		t.Errorf("got %+v", d)
	}
}

func TestPublishingAndSubscribingGoOnWhenTheServerIsBack(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server)
	got := make(chan event.Delivery, 10)
	if _, err := bus.Subscribe(t.Context(), event.Subscription{Name: "all"}, func(_ context.Context, d event.Delivery) error {
		got <- d
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := bus.Publish(t.Context(), event.Event{ID: "before", Type: "t"}); err != nil {
		t.Fatal(err)
	}
	if d := <-got; d.ID != "before" {
		t.Errorf("got %q", d.ID)
	}
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := bus.Publish(ctx, event.Event{ID: "lost", Type: "t"}); !errors.Is(err, event.ErrUncertain) {
		t.Errorf("publish without a server: %v", err)
	}
	late := make(chan error, 1)
	go func() { late <- bus.Publish(t.Context(), event.Event{ID: "meanwhile", Type: "t"}) }()
	server.Start()
	if err := <-late; err != nil {
		t.Errorf("publish that waited for the server: %v", err)
	}
	if d := <-got; d.ID != "meanwhile" {
		t.Errorf("got %q", d.ID)
	}
}

func TestABusOpensWithoutAServer(t *testing.T) {
	server := natstest.NewServer(t)
	server.Stop()
	began := time.Now()
	bus := open(t, server)
	got := make(chan event.Delivery, 1)
	if _, err := bus.Subscribe(t.Context(), event.Subscription{Name: "all", All: true}, func(_ context.Context, d event.Delivery) error {
		got <- d
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if bus.Connected() {
		t.Error("connected to nothing")
	}
	server.Start()
	if err := bus.Publish(t.Context(), event.Event{ID: "1", Type: "t"}); err != nil {
		t.Fatal(err)
	}
	if d := <-got; d.ID != "1" {
		t.Errorf("got %q", d.ID)
	}
}

func TestAStreamThatIsFullRefuses(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server, jetstream.WithRetention(time.Hour, event.MaxData))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var err error
	stored := 0
	for err == nil && stored < 10 {
		if err = bus.Publish(ctx, event.Event{Type: "t", Data: make([]byte, event.MaxData/4)}); err == nil {
			stored++
		}
	}
	if stored != 3 || err == nil || !strings.Contains(err.Error(), "maximum bytes exceeded") {
		t.Errorf("%d stored, then: %v", stored, err)
	}
}

func TestInAStreamThatIsFullTheOldestMayMakeRoom(t *testing.T) {
	server := natstest.NewServer(t)
	bus := open(t, server, jetstream.WithRetention(time.Hour, event.MaxData), jetstream.WithOldestDiscarded())
	for i := range 10 {
		if err := bus.Publish(t.Context(), event.Event{ID: strconv.Itoa(i), Type: "t", Data: make([]byte, event.MaxData/4)}); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan event.Delivery, 10)
	if _, err := bus.Subscribe(t.Context(), event.Subscription{Name: "test", All: true}, func(_ context.Context, d event.Delivery) error {
		got <- d
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"7", "8", "9"} {
		if d := <-got; d.ID != want {
			t.Errorf("event %s is there, expected %s", d.ID, want)
		}
	}
}

func TestAServerThatSaysNothingIsWaitedForAsLongAsAsked(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent := "nats://" + l.Addr().String()
	began := time.Now()
	bus, err := jetstream.Open(jetstream.WithURL(silent+","+silent), jetstream.WithConnectTimeout(50*time.Millisecond), jetstream.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	if took := time.Since(began); took >= jetstream.DefaultConnectTimeout || bus.Connected() {
		t.Errorf("it took %v, connected: %v", took, bus.Connected())
	}
}

func TestBadConfigurationIsNamed(t *testing.T) {
	for field, opt := range map[string]jetstream.Option{
		"namespace":   jetstream.WithNamespace(""),
		"service":     jetstream.WithService(strings.Repeat("x", 200)),
		"retention":   jetstream.WithRetention(time.Second, 1<<30),
		"certificate": jetstream.WithTLS("", "cert.pem", ""),

		"connect timeout": jetstream.WithConnectTimeout(0),
	} {
		_, err := jetstream.Open(opt)
		var e *event.Error
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

func TestAURLThatCannotBeParsedIsNotRepeated(t *testing.T) {
	for _, url := range []string{
		"nats://ada:50%off@127.0.0.1:4222", "nats://ada:p50/off@127.0.0.1:4222", "nats://127.0.0.1:4222,nats://ada:50 off@127.0.0.1:4222",
		"nats://ada:50%of@127.0.0.1:4222", "nats://ada:50\noff@127.0.0.1:4222",
	} {
		_, err := jetstream.Open(jetstream.WithURL(url))
		if e, ok := errors.AsType[*event.Error](err); !ok || e.Field != "NATS URL" {
			t.Errorf("%q: %v, want an error about the URL", url, err)
			continue
		}
		for _, part := range []string{"ada", "50", "of@", "off"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("the error repeats %q of a URL: %v", part, err)
			}
		}
	}
}
