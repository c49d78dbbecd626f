// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord"
)

// Config is the user's configuration.
type Config struct {
	// Etcd is where signals are published.
	Etcd etcdconfig.Config `mapstructure:"etcd"`

	// Collector names this collector's shares; unique in the fleet. By default the
	// host's name with random letters.
	Collector string `mapstructure:"collector"`

	// EjectionBase is the least time that a verdict against an instance is kept;
	// it grows with each episode, to 300 s. Envoy's and gRPC's default is 30 s.
	EjectionBase time.Duration `mapstructure:"ejection_base"`

	// MaxInstances bounds what is kept in memory: about 15 kB for each.
	MaxInstances int `mapstructure:"max_instances"`

	// Forward lets the routers' measurements pass on to the exporters too.
	Forward bool `mapstructure:"forward"`
}

func defaultConfig() *Config {
	return &Config{EjectionBase: 30 * time.Second, MaxInstances: aggregate.DefaultMaxInstances}
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.Collector != "" {
		errs = append(errs, coord.CheckName("collector", c.Collector))
	}
	if c.EjectionBase < 100*time.Millisecond || c.EjectionBase > 300*time.Second {
		errs = append(errs, fmt.Errorf("ejection_base is %v, not 100ms to 300s", c.EjectionBase))
	}
	if c.MaxInstances < 1 || c.MaxInstances > 1_000_000 {
		errs = append(errs, fmt.Errorf("max_instances is %d, not 1 to 1000000", c.MaxInstances))
	}
	return errors.Join(errs...)
}
