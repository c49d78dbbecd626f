// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pipeline"
)

const (
	// maxRoutes keeps a batch from being split into more parts than pay off, and the ways
	// of its items in a byte each.
	maxRoutes = 64
	maxName   = 256 // bytes
)

// What is done about a batch of which a part was taken and another could be sent again.
const (
	PartialRetry = "retry" // all is to be sent again: what was taken is there twice
	PartialDrop  = "drop"  // nothing is: what was not taken is lost
)

// Config is the user's configuration.
type Config struct {
	// Routes are the pipelines by the name of the route, at most 64. One route may name
	// pipelines of several signals.
	Routes map[string][]pipeline.ID `mapstructure:"routes"`

	// Default are the pipelines of what names no route, or one that there is not.
	Default []pipeline.ID `mapstructure:"default"`

	// Attribute is what names the route (otelplat.telemetry.route).
	Attribute string `mapstructure:"attribute"`

	// KeepAttribute leaves the attribute where it is; else it is taken out.
	KeepAttribute bool `mapstructure:"keep_attribute"`

	// PartialFailure is retry (the default) or drop.
	PartialFailure string `mapstructure:"partial_failure"`
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.Attribute == "" {
		errs = append(errs, errors.New("attribute is required"))
	}
	if len(c.Default) == 0 {
		errs = append(errs, errors.New("default is required: pipelines of what names no route"))
	}
	if len(c.Routes) > maxRoutes {
		errs = append(errs, fmt.Errorf("routes are %d, more than %d", len(c.Routes), maxRoutes))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Routes)) {
		switch {
		case name == "" || len(name) > maxName:
			errs = append(errs, fmt.Errorf("routes: the name %.40q has not 1 to %d bytes", name, maxName))
		case name == defaultRoute:
			errs = append(errs, fmt.Errorf("routes: %q is the name of what takes no other", name))
		case len(c.Routes[name]) == 0:
			errs = append(errs, fmt.Errorf("routes: %q has no pipeline", name))
		}
	}
	if c.PartialFailure != PartialRetry && c.PartialFailure != PartialDrop {
		errs = append(errs, fmt.Errorf("partial_failure %q is neither %s nor %s", c.PartialFailure, PartialRetry, PartialDrop))
	}
	return errors.Join(errs...)
}

// of returns those of a signal.
func of(signal pipeline.Signal, ids []pipeline.ID) []pipeline.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id pipeline.ID) bool { return id.Signal() != signal })
}
