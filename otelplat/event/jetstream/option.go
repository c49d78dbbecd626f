// SPDX-License-Identifier: Apache-2.0

package jetstream

import (
	"cmp"
	"log/slog"
	"os"
	"time"
)

// Defaults.
const (
	DefaultURL       = "nats://127.0.0.1:4222"
	DefaultNamespace = "default"

	// DefaultMaxAge and DefaultMaxBytes bound the stream of events.
	DefaultMaxAge   = 7 * 24 * time.Hour
	DefaultMaxBytes = 1 << 30

	// DefaultConnectTimeout bounds one attempt to connect to one server.
	DefaultConnectTimeout = 2 * time.Second
)

// Option configures [Open]. An option goes before the environment.
type Option func(*config)

type config struct {
	url, namespace, service string
	credentials             string
	ca, cert, key           string
	maxAge                  time.Duration
	maxBytes                int64
	replicas                int
	discardOld              bool
	connectTimeout          time.Duration
	log                     *slog.Logger
}

func newConfig(opts []Option) config {
	c := config{
		url:         cmp.Or(os.Getenv("OTELPLAT_NATS_URL"), DefaultURL),
		namespace:   cmp.Or(os.Getenv("OTELPLAT_NAMESPACE"), DefaultNamespace),
		service:     cmp.Or(os.Getenv("OTEL_SERVICE_NAME"), "unknown"),
		credentials: os.Getenv("OTELPLAT_NATS_CREDS_FILE"),
		ca:          os.Getenv("OTELPLAT_NATS_CA_FILE"),
		cert:        os.Getenv("OTELPLAT_NATS_CERT_FILE"),
		key:         os.Getenv("OTELPLAT_NATS_KEY_FILE"),
		maxAge:      DefaultMaxAge,
		maxBytes:    DefaultMaxBytes,
		replicas:    1,

		connectTimeout: DefaultConnectTimeout,
		log:            slog.Default(),
	}
	for _, o := range opts {
		o(&c)
	}
	return c
}

// WithURL sets the server's URLs, separated by commas (OTELPLAT_NATS_URL,
// nats://127.0.0.1:4222).
func WithURL(url string) Option { return func(c *config) { c.url = url } }

// WithNamespace sets the namespace (OTELPLAT_NAMESPACE, "default").
func WithNamespace(namespace string) Option { return func(c *config) { c.namespace = namespace } }

// WithService sets the service that [Bus.Publish] publishes as
// (OTEL_SERVICE_NAME, "unknown").
func WithService(name string) Option { return func(c *config) { c.service = name } }

// WithCredentials sets a file of NATS credentials (OTELPLAT_NATS_CREDS_FILE).
func WithCredentials(path string) Option { return func(c *config) { c.credentials = path } }

// WithTLS sets files: the authority that signs the server's certificate, and the
// client's certificate and key, both or neither (OTELPLAT_NATS_CA_FILE, _CERT_FILE,
// _KEY_FILE). "" leaves one out.
func WithTLS(ca, cert, key string) Option {
	return func(c *config) { c.ca, c.cert, c.key = ca, cert, key }
}

// WithRetention bounds the stream of events, if this bus makes it.
func WithRetention(age time.Duration, bytes int64) Option {
	return func(c *config) { c.maxAge, c.maxBytes = age, bytes }
}

// WithOldestDiscarded lets the oldest events make room for new ones in a stream that is
// full, where new ones are refused by default. It is for events that nobody relies on.
func WithOldestDiscarded() Option { return func(c *config) { c.discardOld = true } }

// WithReplicas sets on how many servers the streams are, if this bus makes them:
// 1, 3 or 5.
func WithReplicas(n int) Option { return func(c *config) { c.replicas = n } }

// WithConnectTimeout sets how long one server may take to be connected to
// ([DefaultConnectTimeout]). [Open] waits so long for each server that takes a connection, or
// swallows it, and says nothing.
func WithConnectTimeout(d time.Duration) Option { return func(c *config) { c.connectTimeout = d } }

// WithLogger sets the logger; [slog.Default] otherwise.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.log = l } }
