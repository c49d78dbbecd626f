// SPDX-License-Identifier: Apache-2.0

package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/internal/again"
)

const (
	// ackWait is after how long an event comes again whose process ended: the
	// dispatcher extends the time of what it has in hand each 3 s.
	ackWait = 10 * time.Second

	// fetchWait is how long one request for events waits for them.
	fetchWait = 5 * time.Second

	// setupWait bounds how long Subscribe waits for a server that is connected.
	setupWait = 2 * time.Second

	// maxAckPending bounds what all processes of one name have in hand.
	maxAckPending = 4096

	// forgetPerson is after how long the server forgets an ephemeral subscription
	// whose process ended.
	forgetPerson = 30 * time.Second
)

// subscription feeds one handler.
type subscription struct {
	bus        *Bus
	s          event.Subscription
	dispatcher *event.Dispatcher
	consumer   jetstream.Consumer // of the running goroutine; nil until it is made
	cancel     context.CancelFunc
	done       chan struct{}
	close      sync.Once
}

// Subscribe implements [event.Bus]. With a server that is connected, a new
// subscription begins with the first event after Subscribe returned; otherwise when
// the server is back.
func (b *Bus) Subscribe(ctx context.Context, s event.Subscription, h event.Handler) (io.Closer, error) {
	if h == nil {
		return nil, &event.Error{Field: "subscription's handler", Reason: "is nil"}
	}
	s, err := s.Complete()
	if err != nil {
		return nil, err
	}
	if s.Ephemeral {
		s.Name = strings.TrimPrefix(s.Name+"-"+event.NewID(), "-")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, event.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.ctx, cancel)
	sub := &subscription{
		bus: b, s: s, dispatcher: event.NewDispatcher(s, h), done: make(chan struct{}),
		cancel: func() { stop(); cancel() },
	}
	b.subs[sub] = struct{}{}
	ready := make(chan struct{})
	go sub.run(ctx, ready)
	if b.conn.IsConnected() {
		select {
		case <-ready:
		case <-ctx.Done():
		case <-time.After(setupWait):
		}
	}
	return sub, nil
}

// run makes the consumer and hands out what comes, until the context ends.
func (s *subscription) run(ctx context.Context, ready chan<- struct{}) {
	defer close(s.done)
	for s.setUp(ctx, ready) {
		ready = nil
		s.consume(ctx)
	}
	_ = s.dispatcher.Close() // returns none
	if s.s.Ephemeral && s.consumer != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		// The server forgets it in a while anyway.
		_ = s.bus.js.DeleteConsumer(ctx, s.bus.streams.eventsName(), s.s.Name)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	delete(s.bus.subs, s)
}

// setUp makes or finds the consumer, for as long as it takes. It returns false when
// the context ends.
func (s *subscription) setUp(ctx context.Context, ready chan<- struct{}) bool {
	told := false
	_, ended := again.Until(ctx, func() (bool, error) {
		attempt, cancel := context.WithTimeout(ctx, setupWait)
		defer cancel()
		c, err := s.make(attempt)
		if err != nil && !told && ctx.Err() == nil {
			told = true
			s.bus.cfg.log.Warn("a subscription waits for NATS", slog.String("subscription", s.s.Name), slog.Any("error", err))
		}
		if err == nil {
			s.consumer = c
		}
		return false, err
	})
	if ended == nil && ready != nil {
		close(ready)
	}
	return ended == nil
}

// make finds the consumer of the name and brings its filter up to date, or makes it.
func (s *subscription) make(ctx context.Context) (jetstream.Consumer, error) {
	b := s.bus
	if err := b.streams.ensure(ctx, b.streams.events()); err != nil {
		return nil, err
	}
	stream := b.streams.eventsName()
	want := jetstream.ConsumerConfig{
		Name: s.s.Name, Durable: s.s.Name, FilterSubjects: s.filters(), DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: maxAckPending,
	}
	if s.s.All {
		want.DeliverPolicy = jetstream.DeliverAllPolicy
	}
	if s.s.Ephemeral {
		want.Durable, want.InactiveThreshold = "", forgetPerson
	}
	there, err := b.js.Consumer(ctx, stream, s.s.Name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		c, err := b.js.CreateConsumer(ctx, stream, want)
		if errors.Is(err, jetstream.ErrConsumerExists) {
			return b.js.Consumer(ctx, stream, s.s.Name) // another process was faster
		}
		return c, err
	case err != nil:
		b.streams.forget()
		return nil, fmt.Errorf("jetstream: subscription %s: %w", s.s.Name, err)
	}
	has := there.CachedInfo().Config
	if strings.Join(has.FilterSubjects, " ")+has.FilterSubject == strings.Join(want.FilterSubjects, " ") {
		return there, nil
	}
	has.FilterSubject, has.FilterSubjects = "", want.FilterSubjects // where it began cannot be changed
	return b.js.UpdateConsumer(ctx, stream, has)
}

// filters are the subjects that the subscription asks for.
func (s *subscription) filters() []string {
	return filters(s.bus.cfg.namespace, s.s.Service, s.s.Types)
}

// filters are the subjects of a service's events of some types, of all without any. JetStream
// takes none that overlap.
func filters(namespace, service string, types []string) []string {
	of := "*"
	if service != "" {
		of = token(service)
	}
	root := eventsRoot + token(namespace) + "." + of + "."
	if len(types) == 0 {
		return []string{root + ">"}
	}
	var filters []string
	for i, t := range types {
		if covered(t, i, types) {
			continue
		}
		if prefix, all := strings.CutSuffix(t, "*"); all {
			t = prefix + ">"
		}
		filters = append(filters, root+t)
	}
	return filters
}

// covered reports whether another of the types asks for all that one asks for.
func covered(t string, at int, types []string) bool {
	for i, other := range types {
		if prefix, all := strings.CutSuffix(other, "*"); i != at && (t == other && i < at || t != other && all && strings.HasPrefix(t, prefix)) {
			return true
		}
	}
	return false
}

// consume hands out events until the context ends or the consumer cannot be used any
// more.
func (s *subscription) consume(ctx context.Context) {
	failures := 0
	for s.dispatcher.Ready(ctx) {
		n := 1
		for n < s.s.Window() && s.dispatcher.TryReady() {
			n++
		}
		got, err := s.fetch(ctx, n)
		if ctx.Err() != nil {
			return
		}
		if err == nil || got > 0 {
			failures = 0
			continue
		}
		if failures++; failures >= 3 || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDeleted) {
			s.bus.streams.forget()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// fetch asks for n events, for which there is room, and hands out those that come.
func (s *subscription) fetch(ctx context.Context, n int) (got int, err error) {
	defer func() {
		for range n - got {
			s.dispatcher.Release()
		}
	}()
	wait, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	batch, err := s.consumer.Fetch(n, jetstream.FetchContext(wait))
	if err != nil {
		return 0, err
	}
	for msg := range batch.Messages() {
		m, err := s.message(msg)
		if err != nil { // nobody can handle it: it is none of ours
			s.bus.cfg.log.Warn("a message of the stream is no event", slog.String("subject", msg.Subject()), slog.Any("error", err))
			_ = msg.TermWithReason("no event: " + err.Error()) // it comes again if that fails
			continue
		}
		got++
		s.dispatcher.Dispatch(m)
	}
	err = batch.Error()
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil // there was none
	}
	return got, err
}

// message is a delivery with what JetStream is told of it.
func (s *subscription) message(msg jetstream.Msg) (*event.Message, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	e, service, err := decode(msg.Subject(), msg.Headers(), msg.Data())
	if err != nil {
		return nil, err
	}
	return &event.Message{
		Delivery: event.Delivery{
			Event: e, Service: service, Attempt: int(min(meta.NumDelivered, 1<<30)), //nolint:gosec // bounded
			Sequence: meta.Sequence.Stream, Stored: meta.Timestamp,
		},
		Done: func(context.Context) error { return msg.Ack() },
		Retry: func(_ context.Context, after time.Duration) error {
			if after <= 0 {
				return msg.Nak()
			}
			return msg.NakWithDelay(after)
		},
		Dead:   func(ctx context.Context, reason string) error { return s.bury(ctx, msg, meta, reason) },
		Extend: msg.InProgress,
	}, nil
}

// Close implements [io.Closer].
func (s *subscription) Close() error {
	s.close.Do(s.cancel)
	<-s.done
	return nil
}
