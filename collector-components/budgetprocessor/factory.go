// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/metadata"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// NewFactory returns the factory of the processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(metadata.Type, func() component.Config { return defaultConfig() },
		processor.WithTraces(createTraces, metadata.TracesStability),
		processor.WithMetrics(createMetrics, metadata.MetricsStability),
		processor.WithLogs(createLogs, metadata.LogsStability))
}

// budgets is the processor of one pipeline.
type budgets struct {
	cfg      *Config
	set      processor.Settings
	ledger   *ledger // from start to shutdown
	giveBack func() error
}

func (p *budgets) start(context.Context, component.Host) (err error) {
	p.ledger, p.giveBack, err = take(p.cfg, p.set)
	return err
}

func (p *budgets) shutdown(context.Context) error {
	if p.giveBack == nil {
		return nil // never started
	}
	return p.giveBack()
}

// options of all three: what is over a budget is taken out of the batch.
func (p *budgets) options() []processorhelper.Option {
	return []processorhelper.Option{
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(p.start), processorhelper.WithShutdown(p.shutdown),
	}
}

func createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	p := &budgets{cfg: cfg.(*Config), set: set}
	return processorhelper.NewTraces(ctx, set, cfg, next, p.traces, p.options()...)
}

func createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	p := &budgets{cfg: cfg.(*Config), set: set}
	return processorhelper.NewMetrics(ctx, set, cfg, next, p.metrics, p.options()...)
}

func createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	p := &budgets{cfg: cfg.(*Config), set: set}
	return processorhelper.NewLogs(ctx, set, cfg, next, p.logs, p.options()...)
}
