// SPDX-License-Identifier: Apache-2.0

package eventreceiver

import (
	"fmt"

	"go.opentelemetry.io/collector/component"
)

const (
	defaultQueueSize = 1024
	maxQueueSize     = 1 << 16
)

// Config is the user's configuration.
type Config struct {
	// QueueSize is how many events may wait for the pipeline.
	QueueSize int `mapstructure:"queue_size"`

	// Echo sends each event to the process's fallback too, for pipelines whose exporters
	// nobody reads.
	Echo bool `mapstructure:"echo"`
}

func defaultConfig() component.Config { return &Config{QueueSize: defaultQueueSize} }

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	if c.QueueSize < 1 || c.QueueSize > maxQueueSize {
		return fmt.Errorf("queue_size is %d, want 1 to %d", c.QueueSize, maxQueueSize)
	}
	return nil
}
