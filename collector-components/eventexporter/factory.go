// SPDX-License-Identifier: Apache-2.0

package eventexporter

import (
	"context"

	"github.com/otelplat/platform/collector-components/eventexporter/internal/metadata"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
)

// NewFactory returns the factory of the exporter, for pipelines of logs.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, defaultConfig, exporter.WithLogs(createLogs, metadata.LogsStability))
}

// createLogs leaves out exporterhelper: its queue, batches and retries would answer
// for events that are not stored, and its queue refuses what best effort has to drop.
func createLogs(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	e, err := newExporter(set, cfg.(*Config))
	if err != nil || !e.cfg.BestEffort {
		return e, err
	}
	return newCopier(e), nil
}
