// SPDX-License-Identifier: Apache-2.0

package eventexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
)

// Type is the component's type in a configuration.
var Type = component.MustNewType("otelplat_events")

// NewFactory returns the factory of the exporter, for pipelines of logs.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(Type, defaultConfig, exporter.WithLogs(createLogs, component.StabilityLevelAlpha))
}

// createLogs leaves out exporterhelper: its queue, batches and retries would answer
// for events that are not stored.
func createLogs(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	return newExporter(set, cfg.(*Config))
}
