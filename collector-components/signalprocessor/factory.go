// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/metadata"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// Type is the component's type in a configuration.
var Type = metadata.Type

// NewFactory returns the factory of the processor, for pipelines of metrics and traces.
func NewFactory() processor.Factory {
	return processor.NewFactory(Type, func() component.Config { return defaultConfig() },
		processor.WithMetrics(createMetrics, metadata.MetricsStability),
		processor.WithTraces(createTraces, metadata.TracesStability))
}

func createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	p, err := newProcessor(set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, p.metrics,
		// Measurements are taken out of the batch unless they are forwarded.
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: !p.cfg.Forward}),
		processorhelper.WithStart(p.start), processorhelper.WithShutdown(p.shutdown))
}

func createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	p, err := newProcessor(set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, p.traces,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		processorhelper.WithStart(p.start), processorhelper.WithShutdown(p.shutdown))
}
