// SPDX-License-Identifier: Apache-2.0

package eventreceiver

import (
	"context"
	"fmt"

	"github.com/otelplat/platform/collector-components/eventreceiver/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// Why events did not enter the pipeline.
const (
	reasonFull    = "queue_full"
	reasonRefused = "refused"
	reasonOwn     = "own_pipeline"
)

// maxBatch is how many events go through the pipeline at once.
const maxBatch = 256

// carrierKey is of the context in which a receiver's events go through their pipeline.
type carrierKey struct{}

// eventReceiver owns one goroutine, from Start to Shutdown.
type eventReceiver struct {
	cfg       *Config
	log       *zap.Logger
	resource  pcommon.Resource // of the collector
	next      consumer.Logs
	report    *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder

	queue    chan emitted
	provider *Provider // that it is attached to; nil for none
	cancel   context.CancelFunc
	done     chan struct{} // nil before Start and after Shutdown
}

var _ receiver.Logs = (*eventReceiver)(nil)

func newReceiver(set receiver.Settings, cfg *Config, next consumer.Logs) (*eventReceiver, error) {
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, Transport: "internal", ReceiverCreateSettings: set})
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return &eventReceiver{
		cfg: cfg, log: set.Logger, resource: set.Resource, next: next, report: report, telemetry: telemetry,
		queue: make(chan emitted, cfg.QueueSize),
	}, nil
}

// Start takes what is emitted, if the process hands it over.
func (r *eventReceiver) Start(context.Context, component.Host) error {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), carrierKey{}, r))
	r.cancel, r.done = cancel, make(chan struct{})
	go r.run(ctx)
	provider, ok := otel.GetLoggerProvider().(*Provider)
	if !ok {
		r.log.Warn("this process hands over no events: its provider of loggers is not that of package eventreceiver")
		return nil
	}
	r.provider = provider
	provider.attach(r)
	return nil
}

// Shutdown returns when all that was taken is through the pipeline. When the context ends
// first, what is left is told so.
func (r *eventReceiver) Shutdown(ctx context.Context) error {
	if r.done == nil {
		return nil
	}
	if r.provider != nil {
		r.provider.detach(r)
	}
	close(r.queue)
	select {
	case <-r.done:
	case <-ctx.Done():
	}
	r.cancel()
	<-r.done
	r.done = nil
	return nil
}

// offer is called by the provider, between attach and detach.
func (r *eventReceiver) offer(e emitted) {
	select {
	case r.queue <- e:
	default:
		r.missed(1, reasonFull)
	}
}

func (r *eventReceiver) run(ctx context.Context) {
	defer close(r.done)
	batch := make([]emitted, 0, maxBatch)
	for e := range r.queue {
		batch = append(batch[:0], e)
		for len(batch) < maxBatch && len(r.queue) > 0 { // nobody else receives
			batch = append(batch, <-r.queue)
		}
		r.deliver(ctx, batch)
	}
}

func (r *eventReceiver) deliver(ctx context.Context, batch []emitted) {
	ctx = r.report.StartLogsOp(ctx)
	err := r.next.ConsumeLogs(ctx, logsOf(r.resource, batch))
	r.report.EndLogsOp(ctx, metadata.Type.String(), len(batch), err)
	if err != nil {
		r.missed(len(batch), reasonRefused)
	}
}

func (r *eventReceiver) missed(events int, reason string) {
	r.telemetry.ReceiverEventsMissed.Add(context.Background(), int64(events), metric.WithAttributes(attribute.String(semconv.CollectorReason, reason)))
}
