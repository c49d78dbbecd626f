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
	// Etcd is where signals are published, and where discovery is read.
	Etcd etcdconfig.Config `mapstructure:"etcd"`

	// Collector names this collector's shares; unique in the fleet. By default the
	// host's name with random letters.
	Collector string `mapstructure:"collector"`

	// EjectionBase is the least time that a verdict against an instance is kept;
	// it grows with each episode, to 300 s. Envoy's and gRPC's default is 30 s.
	EjectionBase time.Duration `mapstructure:"ejection_base"`

	// MaxInstances bounds what is kept in memory: about 15 kB for each.
	MaxInstances int `mapstructure:"max_instances"`

	// MaxUnannounced bounds the instances that discovery does not announce and that one
	// principal tells of. A fleet whose routers find instances by other means raises it.
	MaxUnannounced int `mapstructure:"max_unannounced"`

	// MaxSeries bounds the cumulative series whose last value is kept. One principal may
	// have a quarter of them.
	MaxSeries int `mapstructure:"max_series"`

	// Agents are principals ("service:agent") that pass on what others measured. What they
	// send counts as the voice of the service that its resource names, "service:<name>": a
	// claims check before this processor says which these may be.
	Agents []string `mapstructure:"agents"`

	// Forward lets the routers' measurements and the servers' reports pass on to the
	// exporters too.
	Forward bool `mapstructure:"forward"`
}

// Defaults of the bounds.
const (
	defaultMaxUnannounced = 256
	defaultMaxSeries      = 50_000
	maxAgents             = 1000
)

func defaultConfig() *Config {
	return &Config{
		EjectionBase: 30 * time.Second, MaxInstances: aggregate.DefaultMaxInstances,
		MaxUnannounced: defaultMaxUnannounced, MaxSeries: defaultMaxSeries,
	}
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
	for _, bound := range []struct {
		name string
		n    int
	}{{"max_instances", c.MaxInstances}, {"max_unannounced", c.MaxUnannounced}, {"max_series", c.MaxSeries}} {
		if bound.n < 1 || bound.n > 1_000_000 {
			errs = append(errs, fmt.Errorf("%s is %d, not 1 to 1000000", bound.name, bound.n))
		}
	}
	if len(c.Agents) > maxAgents {
		errs = append(errs, fmt.Errorf("agents are %d, more than %d", len(c.Agents), maxAgents))
	}
	return errors.Join(errs...)
}
