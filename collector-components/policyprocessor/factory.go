// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/otelplat/platform/collector-components/policyprocessor/internal/metadata"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// NewFactory returns the factory of the processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(metadata.Type, defaultConfig,
		processor.WithTraces(createTraces, metadata.TracesStability),
		processor.WithMetrics(createMetrics, metadata.MetricsStability),
		processor.WithLogs(createLogs, metadata.LogsStability),
	)
}

func defaultConfig() component.Config {
	return &Config{Mode: ModeEnforce, Bundle: "telemetry", RequireBundle: true, TenantAttribute: "tenant.id"}
}

// capabilities says whether the processor changes what it is given: a collector copies
// data that several pipelines share for those that do.
func capabilities(cfg *Config) processorhelper.Option {
	return processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: cfg.Mode != ModeObserve})
}

func createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	p, err := newProcessor(set, cfg.(*Config), "traces")
	if err != nil {
		return nil, err
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, p.traces, capabilities(p.cfg),
		processorhelper.WithStart(p.start), processorhelper.WithShutdown(p.shutdown))
}

func createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	p, err := newProcessor(set, cfg.(*Config), "metrics")
	if err != nil {
		return nil, err
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, p.metrics, capabilities(p.cfg),
		processorhelper.WithStart(p.start), processorhelper.WithShutdown(p.shutdown))
}

func createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	p, err := newProcessor(set, cfg.(*Config), "logs")
	if err != nil {
		return nil, err
	}
	return processorhelper.NewLogs(ctx, set, cfg, next, p.logs, capabilities(p.cfg),
		processorhelper.WithStart(p.start), processorhelper.WithShutdown(p.shutdown))
}

// ownKey is the process's, made when it is first needed.
var ownKey = sync.OnceValue(func() []byte { return []byte(rand.Text()) })

func hashKey(configured configopaque.String) []byte {
	if configured != "" {
		return []byte(configured)
	}
	return ownKey()
}
