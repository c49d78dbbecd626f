// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"
	"errors"

	"github.com/otelplat/platform/collector-components/routeconnector/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pipeline"
)

// NewFactory returns the factory of the connector.
func NewFactory() connector.Factory {
	return connector.NewFactory(metadata.Type, createDefaultConfig,
		connector.WithTracesToTraces(createTraces, metadata.TracesToTracesStability),
		connector.WithMetricsToMetrics(createMetrics, metadata.MetricsToMetricsStability),
		connector.WithLogsToLogs(createLogs, metadata.LogsToLogsStability),
	)
}

func createDefaultConfig() component.Config {
	return &Config{Attribute: semconv.TelemetryRoute, PartialFailure: PartialRetry}
}

// errNoRouter is of a host that is no collector.
var errNoRouter = errors.New("otelplat_route: what follows is no router of pipelines")

func createTraces(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Traces) (connector.Traces, error) {
	r, ok := next.(connector.TracesRouterAndConsumer)
	if !ok {
		return nil, errNoRouter
	}
	w, err := newWays[consumer.Traces](set.TelemetrySettings, cfg.(*Config), pipeline.SignalTraces, r)
	if err != nil {
		return nil, err
	}
	return traces{ways: w}, nil
}

func createMetrics(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics) (connector.Metrics, error) {
	r, ok := next.(connector.MetricsRouterAndConsumer)
	if !ok {
		return nil, errNoRouter
	}
	w, err := newWays[consumer.Metrics](set.TelemetrySettings, cfg.(*Config), pipeline.SignalMetrics, r)
	if err != nil {
		return nil, err
	}
	return metrics{ways: w}, nil
}

func createLogs(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Logs, error) {
	r, ok := next.(connector.LogsRouterAndConsumer)
	if !ok {
		return nil, errNoRouter
	}
	w, err := newWays[consumer.Logs](set.TelemetrySettings, cfg.(*Config), pipeline.SignalLogs, r)
	if err != nil {
		return nil, err
	}
	return logs{ways: w}, nil
}
