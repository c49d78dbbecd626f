// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	"github.com/otelplat/platform/internal/tokenfile"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/logging"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutlog"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/log"
	lognoop "go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/otelplat/platform/otelplat"

// Bounds of one log record; OTEL_LOGRECORD_ATTRIBUTE_* go before them.
const (
	maxLogAttributes = 128
	maxLogValue      = logging.MaxValue
)

// ErrStarted is returned by [Start] while another telemetry holds the globals of
// this process.
var ErrStarted = errors.New("otelplat: already started: Shutdown comes first, or WithoutGlobals")

// started guards the globals.
var started atomic.Bool

// Telemetry holds the providers of one service.
type Telemetry struct {
	resource    *resource.Resource
	tracers     trace.TracerProvider
	meters      metric.MeterProvider
	loggers     log.LoggerProvider
	signals     metric.MeterProvider
	server      server
	events      *event.Client // nil without an endpoint
	propagator  propagation.TextMapPropagator
	logger      *slog.Logger
	level       *slog.LevelVar
	previous    *slog.Logger // slog's default before Start; nil without globals
	shutdowns   []func(context.Context) error
	shutdown    sync.Once
	shutdownErr error
}

// Start makes the providers, and unless [WithoutGlobals] says otherwise sets them
// as the global ones. It makes no connection. Errors are about the configuration:
// an [*EnvironmentError] for a variable that cannot be used, and [ErrStarted].
func Start(ctx context.Context, opts ...Option) (*Telemetry, error) {
	c := newConfig(opts)
	env, err := readEnvironment()
	if err != nil {
		return nil, err
	}
	if c.globals && !started.CompareAndSwap(false, true) {
		return nil, ErrStarted
	}
	t, err := start(ctx, c, env)
	if err != nil && c.globals {
		started.Store(false)
	}
	return t, err
}

func start(ctx context.Context, c config, env environment) (*Telemetry, error) {
	t := &Telemetry{level: &slog.LevelVar{}, propagator: autoprop.NewTextMapPropagator()}
	t.level.Set(env.level)
	console := slog.New(logging.Console(c.console, t.level))
	res, err := newResource(ctx, c, console)
	if err != nil {
		return nil, err
	}
	t.resource = res
	if env.disabled {
		t.tracers, t.meters, t.signals, t.loggers = tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider(), metricnoop.NewMeterProvider(), lognoop.NewLoggerProvider()
	} else if err := t.makeProviders(ctx, c, env, console); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	t.server.meters, t.server.quiet = t.signals, c.quiet
	t.logger = slog.New(logging.New(c.console, t.loggers, scope, t.level))
	if c.globals {
		t.setGlobals(console)
	}
	return t, nil
}

func (t *Telemetry) makeProviders(ctx context.Context, c config, env environment, console *slog.Logger) error {
	f := &exporterFactory{}
	if c.tokenFile != "" {
		f.token = tokenfile.New(c.tokenFile, console)
	}
	// Logs are shut down last, because the others may still log.
	if err := t.makeLogs(ctx, f, c, env.logs); err != nil {
		return fmt.Errorf("otelplat: logs: %w", err)
	}
	if err := t.makeTraces(ctx, f, c, env.traces); err != nil {
		return fmt.Errorf("otelplat: traces: %w", err)
	}
	if err := t.makeMetrics(ctx, f, c, env.metrics); err != nil {
		return fmt.Errorf("otelplat: metrics: %w", err)
	}
	signals, err := newSignalProvider(ctx, f, env.metrics, t.resource, c)
	if err != nil {
		return fmt.Errorf("otelplat: signals: %w", err)
	}
	t.signals = signals
	t.shutdowns = append(t.shutdowns, signals.Shutdown)
	return t.makeEvents(ctx, f)
}

func (t *Telemetry) makeTraces(ctx context.Context, f *exporterFactory, c config, s signalConfig) error {
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(t.resource)}
	if s.has(exporterOTLP) {
		exporter, err := f.traces(ctx, s)
		if err != nil {
			return err
		}
		opts = append(opts, sdktrace.WithBatcher(exporter))
	}
	if s.has(exporterConsole) {
		exporter, err := stdouttrace.New(stdouttrace.WithWriter(c.console))
		if err != nil {
			return err
		}
		opts = append(opts, sdktrace.WithBatcher(exporter))
	}
	p := sdktrace.NewTracerProvider(opts...)
	t.tracers = p
	t.shutdowns = append(t.shutdowns, p.Shutdown)
	return nil
}

func (t *Telemetry) makeMetrics(ctx context.Context, f *exporterFactory, c config, s signalConfig) error {
	opts := []sdkmetric.Option{sdkmetric.WithResource(t.resource)}
	for _, r := range c.readers {
		opts = append(opts, sdkmetric.WithReader(r))
	}
	var periodic []sdkmetric.PeriodicReaderOption
	for _, p := range c.producers {
		periodic = append(periodic, sdkmetric.WithProducer(p))
	}
	if s.has(exporterOTLP) {
		exporter, err := f.metrics(ctx, s, false)
		if err != nil {
			return err
		}
		opts = append(opts, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, periodic...)))
	}
	if s.has(exporterConsole) {
		exporter, err := stdoutmetric.New(stdoutmetric.WithWriter(c.console))
		if err != nil {
			return err
		}
		opts = append(opts, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, periodic...)))
	}
	p := sdkmetric.NewMeterProvider(opts...)
	t.meters = p
	t.shutdowns = append(t.shutdowns, p.Shutdown)
	if c.runtimeMetrics {
		return runtime.Start(runtime.WithMeterProvider(p))
	}
	return nil
}

func (t *Telemetry) makeLogs(ctx context.Context, f *exporterFactory, c config, s signalConfig) error {
	opts := []sdklog.LoggerProviderOption{
		sdklog.WithResource(t.resource),
		sdklog.WithAttributeCountLimit(maxLogAttributes),
		sdklog.WithAttributeValueLengthLimit(maxLogValue),
	}
	if s.has(exporterOTLP) {
		exporter, err := f.logs(ctx, s)
		if err != nil {
			return err
		}
		opts = append(opts, sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	}
	if s.has(exporterConsole) {
		exporter, err := stdoutlog.New(stdoutlog.WithWriter(c.console))
		if err != nil {
			return err
		}
		opts = append(opts, sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	}
	p := sdklog.NewLoggerProvider(opts...)
	t.loggers = p
	t.shutdowns = append(t.shutdowns, p.Shutdown)
	return nil
}

// setGlobals makes these the process's providers. What the SDK itself has to say
// goes to the console only: over OTLP it would feed what it complains about.
func (t *Telemetry) setGlobals(console *slog.Logger) {
	otel.SetTracerProvider(t.tracers)
	otel.SetMeterProvider(t.meters)
	otel.SetLoggerProvider(t.loggers)
	otel.SetTextMapPropagator(t.propagator)
	otel.SetLogger(logr.FromSlogHandler(console.Handler()))
	otel.SetErrorHandler(newErrorHandler(console))
	t.previous = slog.Default()
	slog.SetDefault(t.logger)
	if t.events != nil {
		event.SetPublisher(t.events)
	}
}

// TracerProvider returns the provider of spans.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// MeterProvider returns the provider of the service's own metrics.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.meters }

// LoggerProvider returns the provider of log records and events.
func (t *Telemetry) LoggerProvider() log.LoggerProvider { return t.loggers }

// Logger returns the logger that [Start] makes slog's default.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Propagator returns what carries trace context and baggage across processes, as
// OTEL_PROPAGATORS says: W3C trace context and baggage by default.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return t.propagator }

// SignalMeter returns the provider of the router's measurements: see the package
// documentation. router.WithSignalMeter takes it.
func (t *Telemetry) SignalMeter() metric.MeterProvider { return t.signals }

// Resource returns the description of this process that all telemetry carries.
func (t *Telemetry) Resource() *resource.Resource { return t.resource }

// ServiceName returns the resource's service.name.
func (t *Telemetry) ServiceName() string { return t.attribute(serviceNameKey) }

// InstanceID returns the resource's service.instance.id.
func (t *Telemetry) InstanceID() string { return t.attribute(serviceInstanceIDKey) }

// SetLevel changes the least level of log records, on the console and in OTLP.
func (t *Telemetry) SetLevel(level slog.Level) { t.level.Set(level) }

// Shutdown flushes what is queued and stops the providers. It returns when the
// context ends at the latest, with what could not be flushed lost and the error
// saying so; then an export that is waiting for its collector still runs into
// its own time-out (OTEL_EXPORTER_OTLP_TIMEOUT, 10 s). It is idempotent.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	t.shutdown.Do(func() {
		if t.previous != nil {
			slog.SetDefault(t.previous)
			if t.events != nil {
				event.SetPublisher(nil)
			}
			otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
			started.Store(false)
		}
		t.shutdownErr = t.stop(ctx)
	})
	return t.shutdownErr
}

// stop shuts all providers down at once, because each may wait for the same
// collector that does not answer, and the deadline is one for all.
func (t *Telemetry) stop(ctx context.Context) error {
	errs := make(chan error, len(t.shutdowns))
	for _, shutdown := range t.shutdowns {
		go func() { errs <- shutdown(ctx) }()
	}
	var all []error
	for range t.shutdowns {
		select {
		case err := <-errs:
			all = append(all, err)
		case <-ctx.Done():
			return fmt.Errorf("otelplat: not all telemetry was flushed: %w", ctx.Err())
		}
	}
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("otelplat: not all telemetry was flushed: %w", err)
	}
	return nil
}
