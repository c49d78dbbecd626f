// SPDX-License-Identifier: Apache-2.0

package jetstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/internal/again"
)

const (
	// ackTimeout bounds how long one attempt to store events waits for JetStream.
	ackTimeout = 5 * time.Second

	// maxPending bounds the messages of one connection that JetStream has not
	// acknowledged.
	maxPending = 4096
)

// Bus is an [event.Bus] on JetStream. Its methods are safe for concurrent use.
type Bus struct {
	cfg     config
	conn    *nats.Conn
	js      jetstream.JetStream
	streams streams

	ctx    context.Context // of all subscriptions; ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	subs   map[*subscription]struct{}
	gone   chan struct{} // the connection is closed
}

var _ event.Bus = (*Bus)(nil)

// Open returns a bus, which connects in the background when the server is away. It
// reads OTELPLAT_NATS_URL, _CREDS_FILE, _CA_FILE, _CERT_FILE and _KEY_FILE,
// OTELPLAT_NAMESPACE and OTEL_SERVICE_NAME. Errors are about the configuration:
// [*event.Error], or a file that cannot be read.
func Open(opts ...Option) (*Bus, error) {
	c := newConfig(opts)
	for field, value := range map[string]string{"namespace": c.namespace, "service": c.service} {
		if value == "" || len(value) > event.MaxType {
			return nil, &event.Error{Field: field, Reason: fmt.Sprintf("has %d bytes, want 1 to %d", len(value), event.MaxType)}
		}
	}
	if c.maxAge < event.Deduplication || c.maxBytes < event.MaxData {
		return nil, &event.Error{Field: "retention", Reason: fmt.Sprintf("of %v and %d bytes is too small, want %v and %d at least",
			c.maxAge, c.maxBytes, event.Deduplication, event.MaxData)}
	}
	if c.connectTimeout <= 0 {
		return nil, &event.Error{Field: "connect timeout", Reason: fmt.Sprintf("is %v, want more than 0", c.connectTimeout)}
	}
	b := &Bus{cfg: c, subs: make(map[*subscription]struct{}), gone: make(chan struct{})}
	natsOpts := []nats.Option{
		nats.Name(c.service), nats.Timeout(c.connectTimeout),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(200*time.Millisecond, time.Second),
		nats.ReconnectBufSize(-1), // what is not sent fails at once, and is tried again by its publisher
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ClosedHandler(func(*nats.Conn) { close(b.gone) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.Warn("the connection to NATS is lost", slog.Any("error", err))
			}
		}),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			c.log.Info("connected to NATS again", slog.String("url", conn.ConnectedUrlRedacted()))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.log.Warn("NATS", slog.Any("error", err)) }),
	}
	secure, err := c.security()
	if err != nil {
		return nil, err
	}
	if b.conn, err = nats.Connect(c.url, append(natsOpts, secure...)...); err != nil {
		return nil, notOpened(err)
	}
	if b.js, err = jetstream.New(b.conn, jetstream.WithPublishAsyncMaxPending(maxPending), jetstream.WithPublishAsyncTimeout(ackTimeout)); err != nil {
		b.conn.Close()
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	b.streams = streams{cfg: c, js: b.js}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b, nil
}

// notOpened says why there is no connection. What net/url says of a URL is left out with the
// URL: it quotes what it stumbles over, which may be part of a password.
func notOpened(err error) error {
	if _, bad := errors.AsType[*url.Error](err); bad {
		return &event.Error{Field: "NATS URL", Reason: "cannot be parsed; in a name or a password write % as %25, @ as %40, : as %3A and / as %2F"}
	}
	return fmt.Errorf("jetstream: %w", err)
}

// security are the options of credentials and TLS.
func (c *config) security() ([]nats.Option, error) {
	var opts []nats.Option
	if c.credentials != "" {
		opts = append(opts, nats.UserCredentials(c.credentials))
	}
	if (c.cert == "") != (c.key == "") {
		return nil, &event.Error{Field: "certificate", Reason: "needs both OTELPLAT_NATS_CERT_FILE and OTELPLAT_NATS_KEY_FILE"}
	}
	if c.ca == "" && c.cert == "" {
		return opts, nil
	}
	opts = append(opts, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}))
	if c.ca != "" {
		opts = append(opts, nats.RootCAs(c.ca))
	}
	if c.cert != "" {
		opts = append(opts, nats.ClientCert(c.cert, c.key))
	}
	return opts, nil
}

// Connected reports whether the server can be reached: for a health check.
func (b *Bus) Connected() bool { return b.conn.IsConnected() }

// Publish implements [event.Publisher] without a collector: it waits until JetStream
// has acknowledged the event, and tries again as [event.Client] does.
func (b *Bus) Publish(ctx context.Context, e event.Event) (err error) {
	e = e.Complete(b.cfg.service)
	if err := e.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("event: %s was not published: %w", e.Type, err)
	}
	ctx, end := event.StartPublish(ctx, &e)
	defer func() { end(err) }()
	ctx, cancel := context.WithTimeout(ctx, event.MaxPublish)
	defer cancel()
	last, ended := again.Until(ctx, func() (bool, error) {
		err := b.Append(ctx, b.cfg.service, e.Traced(ctx))
		return errors.Is(err, event.ErrClosed) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum), err
	})
	return event.Outcome(e.Type, last, ended)
}

// Append stores complete events of a service, in their order, and returns nil when
// JetStream has acknowledged all of them. It tries once: it is for gateways such as
// the collector's exporter, whose senders try again. Events that were stored by a
// call that failed are known again by the next.
func (b *Bus) Append(ctx context.Context, service string, events ...event.Event) error {
	if b.ctx.Err() != nil {
		return event.ErrClosed
	}
	if !b.conn.IsConnected() {
		return fmt.Errorf("jetstream: %w", nats.ErrDisconnected)
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if err := b.streams.ensure(ctx, b.streams.events()); err != nil {
		return err
	}
	futures := make([]jetstream.PubAckFuture, 0, len(events))
	for i := range events {
		f, err := b.js.PublishMsgAsync(encode(b.cfg.namespace, service, &events[i]))
		if err != nil {
			return fmt.Errorf("jetstream: %w", err)
		}
		futures = append(futures, f)
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			b.streams.forget() // it may have been deleted
			return fmt.Errorf("jetstream: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("jetstream: not acknowledged: %w", ctx.Err())
		}
	}
	return nil
}

// Close implements [event.Bus].
func (b *Bus) Close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	subs := make([]*subscription, 0, len(b.subs))
	for s := range b.subs {
		subs = append(subs, s)
	}
	b.mu.Unlock()
	if !first {
		<-b.gone
		return nil
	}
	b.cancel()
	for _, s := range subs {
		_ = s.Close() // returns none
	}
	// What was settled last is on its way; a server that is away will not have it.
	if b.conn.IsConnected() {
		_ = b.conn.FlushTimeout(time.Second)
	}
	b.conn.Close()
	<-b.gone
	return nil
}
