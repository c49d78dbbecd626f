// SPDX-License-Identifier: Apache-2.0

package eventexporter

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/otelplat/platform/collector-components/eventexporter/internal/metadata"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What became of events.
const (
	stored      = "stored"
	invalid     = "invalid"
	unavailable = "unavailable"
	dropped     = "dropped"
)

// Whether somebody waits for the answer.
const (
	attributeDelivery = "delivery"
	acknowledged      = "acknowledged"
	bestEffort        = "best_effort"
)

type eventExporter struct {
	cfg       *Config
	log       *zap.Logger
	telemetry *metadata.TelemetryBuilder

	bus atomic.Pointer[jetstream.Bus] // nil before Start and after Shutdown
}

var _ exporter.Logs = (*eventExporter)(nil)

func newExporter(set exporter.Settings, cfg *Config) (*eventExporter, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return &eventExporter{cfg: cfg, log: set.Logger, telemetry: telemetry}, nil
}

// Capabilities implements consumer.Logs.
func (*eventExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start connects in the background.
func (e *eventExporter) Start(context.Context, component.Host) error {
	opts := []jetstream.Option{
		jetstream.WithURL(e.cfg.URL), jetstream.WithNamespace(e.cfg.Namespace), jetstream.WithService("collector"),
		jetstream.WithCredentials(e.cfg.CredentialsFile), jetstream.WithTLS(e.cfg.CAFile, e.cfg.CertFile, e.cfg.KeyFile),
		jetstream.WithRetention(e.cfg.MaxAge, e.cfg.MaxBytes), jetstream.WithReplicas(e.cfg.Replicas),
		jetstream.WithLogger(slog.New(zapslog.NewHandler(e.log.Core()))),
	}
	if e.cfg.BestEffort {
		opts = append(opts, jetstream.WithOldestDiscarded())
	}
	bus, err := jetstream.Open(opts...)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	e.bus.Store(bus)
	return nil
}

// Shutdown closes the connection. Whoever comes after it is told to try again.
func (e *eventExporter) Shutdown(context.Context) error {
	if bus := e.bus.Swap(nil); bus != nil {
		return bus.Close()
	}
	return nil
}

// ConsumeLogs stores the events of a request, all of them or none that it answers
// for.
func (e *eventExporter) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	requests, err := parse(ld)
	if err != nil {
		e.count(ctx, ld.LogRecordCount(), invalid)
		return status.Error(codes.InvalidArgument, err.Error())
	}
	bus := e.bus.Load()
	if bus == nil {
		e.count(ctx, ld.LogRecordCount(), unavailable)
		return status.Error(codes.Unavailable, "the collector is not running")
	}
	for _, r := range requests {
		if err := bus.Append(ctx, r.service, r.events...); err != nil {
			e.count(ctx, ld.LogRecordCount(), unavailable)
			e.log.Warn("events were not stored", zap.String("service", r.service), zap.Int("events", len(r.events)), zap.Error(err))
			return status.Error(codes.Unavailable, err.Error())
		}
	}
	e.count(ctx, ld.LogRecordCount(), stored)
	return nil
}

func (e *eventExporter) count(ctx context.Context, events int, reason string) {
	delivery := acknowledged
	if e.cfg.BestEffort {
		delivery = bestEffort
	}
	e.telemetry.ExporterEventsPublished.Add(ctx, int64(events), metric.WithAttributes(
		attribute.String(semconv.CollectorReason, reason), attribute.String(attributeDelivery, delivery)))
}
