// SPDX-License-Identifier: Apache-2.0

package eventreceiver

import (
	"context"

	"github.com/otelplat/platform/collector-components/eventreceiver/internal/metadata"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// NewFactory returns the factory of the receiver, for pipelines of logs.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(metadata.Type, defaultConfig, receiver.WithLogs(createLogs, metadata.LogsStability))
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return newReceiver(set, cfg.(*Config), next)
}
