// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/coord"
)

// Config is the user's configuration.
type Config struct {
	// Document is where the budgets are. Without one those of Budgets hold.
	Document *document.Config `mapstructure:"document"`

	// Budgets are the budgets, or what the document leaves out of them.
	Budgets Budgets `mapstructure:"budgets"`

	// Fleet shares the budgets of volume with other collectors.
	Fleet *FleetConfig `mapstructure:"fleet"`

	// Burst is how much of its budget a service may save.
	Burst time.Duration `mapstructure:"burst"`

	// SeriesWindow is how long a series counts that is not seen any more.
	SeriesWindow time.Duration `mapstructure:"series_window"`

	// FoldedSeries is of how many series of a service values are kept: cumulative ones that
	// are folded, and deltas that are thinned.
	FoldedSeries int `mapstructure:"folded_series"`

	// MemoryMiB bounds what is kept of series.
	MemoryMiB int `mapstructure:"memory_mib"`

	// MaxServices bounds how many services are told apart.
	MaxServices int `mapstructure:"max_services"`
}

// FleetConfig says with whom budgets are shared.
type FleetConfig struct {
	// Name is that of the fleet: budget/<name>/ of the namespace.
	Name string `mapstructure:"name"`

	// Collector is the id of this one; host name and random letters if empty.
	Collector string `mapstructure:"collector"`

	// Collectors is how many there are thought to be by who cannot reach etcd when it
	// starts.
	Collectors int `mapstructure:"collectors"`

	// Lease is the longest time for which the part of a collector that was killed is
	// used by nobody.
	Lease time.Duration `mapstructure:"lease"`

	// Etcd is where they meet; that of the document if it is left out.
	Etcd *etcdconfig.Config `mapstructure:"etcd"`
}

const (
	defaultMemoryMiB   = 256
	defaultMaxServices = 10_000
	defaultLease       = 10 * time.Second
	defaultFleet       = "default"
)

func defaultConfig() *Config {
	return &Config{
		Burst: 2 * time.Second, SeriesWindow: 10 * time.Minute, FoldedSeries: 16_384,
		MemoryMiB: defaultMemoryMiB, MaxServices: defaultMaxServices,
	}
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	within := func(field string, value, least, most int) {
		if value < least || value > most {
			errs = append(errs, fmt.Errorf("%s is %d, not from %d to %d", field, value, least, most))
		}
	}
	during := func(field string, value, least, most time.Duration) {
		if value < least || value > most {
			errs = append(errs, fmt.Errorf("%s is %v, not from %v to %v", field, value, least, most))
		}
	}
	during("burst", c.Burst, 100*time.Millisecond, time.Minute)
	during("series_window", c.SeriesWindow, time.Minute, 24*time.Hour)
	within("folded_series", c.FoldedSeries, 64, 1<<20)
	within("memory_mib", c.MemoryMiB, 1, 1<<16)
	within("max_services", c.MaxServices, 1, 1<<20)
	if c.Fleet != nil {
		f := c.Fleet.filled()
		during("fleet.lease", f.Lease, 6*time.Second, time.Minute)
		within("fleet.collectors", f.Collectors, 1, 1000)
		errs = append(errs, coord.CheckName("fleet.name", f.Name))
		if f.Collector != "" {
			errs = append(errs, coord.CheckName("fleet.collector", f.Collector))
		}
		if f.Etcd == nil && (c.Document == nil || c.Document.Etcd == nil) {
			errs = append(errs, errors.New("fleet needs etcd, its own or the document's"))
		}
	}
	return errors.Join(errs...)
}

// filled returns the configuration with defaults for what is left out.
func (f FleetConfig) filled() FleetConfig {
	f.Name = cmp.Or(f.Name, defaultFleet)
	f.Collectors = cmp.Or(f.Collectors, 1)
	f.Lease = cmp.Or(f.Lease, defaultLease)
	return f
}
