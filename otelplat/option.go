// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"io"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Option configures [Start]. An option goes before the environment.
type Option func(*config)

type config struct {
	serviceName, serviceVersion, instanceID string
	attributes                              []attribute.KeyValue
	console                                 io.Writer
	signalInterval                          time.Duration
	signalCardinality                       int
	globals                                 bool
	runtimeMetrics                          bool
	quiet                                   bool
	tokenFile                               string
	producers                               []sdkmetric.Producer
	readers                                 []sdkmetric.Reader
}

func newConfig(opts []Option) config {
	c := config{
		console:           os.Stderr,
		signalInterval:    DefaultSignalInterval,
		signalCardinality: DefaultSignalCardinality,
		globals:           true,
		runtimeMetrics:    true,
		tokenFile:         os.Getenv(TokenFileVariable),
	}
	for _, o := range opts {
		o(&c)
	}
	return c
}

// WithServiceName sets service.name (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES).
func WithServiceName(name string) Option { return func(c *config) { c.serviceName = name } }

// WithServiceVersion sets service.version; by default that of the main module.
func WithServiceVersion(version string) Option {
	return func(c *config) { c.serviceVersion = version }
}

// WithInstanceID sets service.instance.id; by default a random UUID. Give
// discovery the same id, so that telemetry and routing speak of the same instance.
func WithInstanceID(id string) Option { return func(c *config) { c.instanceID = id } }

// WithResource adds resource attributes.
func WithResource(attributes ...attribute.KeyValue) Option {
	return func(c *config) { c.attributes = append(c.attributes, attributes...) }
}

// WithConsole sets where log lines go beside OTLP: standard error by default.
func WithConsole(w io.Writer) Option { return func(c *config) { c.console = w } }

// WithTokenFile sets the file with the bearer token for OTLP
// (OTELPLAT_TOKEN_FILE). It is looked at once a second at most.
func WithTokenFile(path string) Option { return func(c *config) { c.tokenFile = path } }

// WithSignalInterval sets how often the router's measurements are exported (1 s).
// Longer makes the fleet slower to notice, and the tail of latencies worse.
func WithSignalInterval(d time.Duration) Option {
	return func(c *config) { c.signalInterval = max(d, 100*time.Millisecond) }
}

// WithSignalCardinality bounds the attribute sets of the router's measurements
// (16,384): what is beyond is folded into one.
func WithSignalCardinality(limit int) Option {
	return func(c *config) { c.signalCardinality = limit }
}

// WithMetricProducer adds metrics of another world to what the service exports, with
// the same resource: a metrics.Set.
func WithMetricProducer(p ...sdkmetric.Producer) Option {
	return func(c *config) { c.producers = append(c.producers, p...) }
}

// WithMetricReader adds a reader of the service's own instruments beside the
// exporters: that of a metrics.Scrape. It is shut down with the telemetry.
func WithMetricReader(r ...sdkmetric.Reader) Option {
	return func(c *config) { c.readers = append(c.readers, r...) }
}

// WithoutGlobals leaves OpenTelemetry's global providers and slog's default
// logger as they are: for libraries, and for several services in one process.
func WithoutGlobals() Option { return func(c *config) { c.globals = false } }

// WithoutRuntimeMetrics leaves out the metrics of the Go runtime.
func WithoutRuntimeMetrics() Option { return func(c *config) { c.runtimeMetrics = false } }

// WithoutLoadReports neither answers load probes nor puts load reports into responses: for
// servers that strangers reach. Routers then know their load from the signals only.
func WithoutLoadReports() Option { return func(c *config) { c.quiet = true } }
