// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/catalog"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap/exp/zapslog"
)

// enricher writes what the catalogue says into the resources of one signal.
type enricher struct {
	cfg *Config
	set processor.Settings
	tel *telemetry

	labels    []label
	catalogue *catalogue // from start to shutdown
	giveBack  func() error
}

func newEnricher(set processor.Settings, cfg *Config, signal string) (*enricher, error) {
	tel, err := newTelemetry(set.TelemetrySettings, signal)
	if err != nil {
		return nil, err
	}
	return &enricher{cfg: cfg, set: set, tel: tel, labels: labelsOf(cfg.Labels)}, nil
}

func (e *enricher) start(ctx context.Context, _ component.Host) error {
	key, err := e.cfg.key(e.set.ID.String())
	if err != nil {
		return err
	}
	e.catalogue, e.giveBack, err = catalogues.Take(key, func() (*catalogue, error) {
		c, err := openCatalogue(ctx, e.cfg, slog.New(zapslog.NewHandler(e.set.Logger.Core())))
		if err != nil {
			return nil, err
		}
		return c, nil
	})
	if err != nil {
		e.giveBack = nil
		return err
	}
	if err := e.tel.builder.RegisterProcessorCatalogAgeCallback(func(_ context.Context, o metric.Float64Observer) error {
		if age, ok := e.catalogue.age(); ok {
			o.Observe(age.Seconds())
		}
		return nil
	}); err != nil {
		return fmt.Errorf("otelplat_catalog: %w", err)
	}
	return nil
}

func (e *enricher) shutdown(context.Context) error {
	e.tel.builder.Shutdown()
	if e.giveBack == nil {
		return nil // never started
	}
	return e.giveBack()
}

func (e *enricher) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	b := e.batch(ctx)
	for _, r := range td.ResourceSpans().All() {
		b.resource(r.Resource().Attributes())
	}
	b.end()
	return td, nil
}

func (e *enricher) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	b := e.batch(ctx)
	for _, r := range md.ResourceMetrics().All() {
		b.resource(r.Resource().Attributes())
	}
	b.end()
	return md, nil
}

func (e *enricher) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	b := e.batch(ctx)
	for _, r := range ld.ResourceLogs().All() {
		b.resource(r.Resource().Attributes())
	}
	b.end()
	return ld, nil
}

// batch is one call's view of the catalogue, and what it counts.
type batch struct {
	*enricher
	ctx        context.Context // of the batch, for whose length it lives
	snapshot   *catalog.Snapshot
	outcomes   [outcomes]int64
	misses     int64
	suppressed int64
}

func (e *enricher) batch(ctx context.Context) batch {
	return batch{enricher: e, ctx: ctx, snapshot: e.catalogue.current.Load()}
}
