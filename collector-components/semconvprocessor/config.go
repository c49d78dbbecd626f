// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/check"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.opentelemetry.io/collector/component"
)

// Config is the user's configuration.
type Config struct {
	// Registry is where the registry of conventions is. Without it OpenTelemetry's
	// own, which is embedded, is in force.
	Registry *document.Config `mapstructure:"registry"`

	// Enforce says what is done about a kind of finding: none (the default),
	// annotate, rename (of deprecated), drop_attribute or drop_item. Without it
	// nothing is changed.
	Enforce map[string]string `mapstructure:"enforce"`

	// Interval is how often at most one finding is told as an event, and how often
	// the coverage is.
	Interval time.Duration `mapstructure:"interval"`

	// EventLevel is the lowest level of findings that are told as events. All are
	// counted.
	EventLevel string `mapstructure:"event_level"`

	// MaxFindings bounds the findings that are held to be told: one for each
	// service, kind and name.
	MaxFindings int `mapstructure:"max_findings"`

	// MaxServices bounds the services that findings are told apart by.
	MaxServices int `mapstructure:"max_services"`
}

func createDefaultConfig() component.Config {
	return &Config{Interval: 5 * time.Minute, EventLevel: "improvement", MaxFindings: 10_000, MaxServices: 100}
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if _, err := check.ParseEnforcement(c.Enforce); err != nil {
		errs = append(errs, fmt.Errorf("enforce: %w", err))
	}
	if c.Interval < time.Second {
		errs = append(errs, fmt.Errorf("interval is %v, less than a second", c.Interval))
	}
	if level, err := finding.ParseLevel(c.EventLevel); err != nil {
		errs = append(errs, fmt.Errorf("event_level: %w", err))
	} else if level == finding.Off {
		errs = append(errs, errors.New("event_level is off: without events nobody is told which attribute it is"))
	}
	if c.MaxFindings < 1 || c.MaxFindings > 1_000_000 {
		errs = append(errs, fmt.Errorf("max_findings is %d, not 1 to 1000000", c.MaxFindings))
	}
	if c.MaxServices < 1 || c.MaxServices > 10_000 {
		errs = append(errs, fmt.Errorf("max_services is %d, not 1 to 10000", c.MaxServices))
	}
	return errors.Join(errs...)
}
