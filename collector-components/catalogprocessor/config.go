// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
)

const (
	maxLabels = 16
	maxLabel  = 128 // bytes
)

// Config is the user's configuration. At least one of document and discovery says what is
// known.
type Config struct {
	// Document is the catalogue: which services there are, and who answers for them.
	Document *document.Config `mapstructure:"document"`

	// Discovery is where instances register.
	Discovery *DiscoveryConfig `mapstructure:"discovery"`

	// Labels are the names of the labels that are written, an instance's before its
	// service's: at most 16 (variant).
	Labels []string `mapstructure:"labels"`

	// Override replaces version and zone that the sender set by those of discovery.
	Override bool `mapstructure:"override"`
}

// DiscoveryConfig says where instances register.
type DiscoveryConfig struct {
	// Etcd holds them.
	Etcd etcdconfig.Config `mapstructure:"etcd"`
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.Document == nil && c.Discovery == nil {
		errs = append(errs, errors.New("one of document and discovery is required"))
	}
	if len(c.Labels) > maxLabels {
		errs = append(errs, fmt.Errorf("labels are %d, more than %d", len(c.Labels), maxLabels))
	}
	for _, l := range c.Labels {
		if l == "" || len(l) > maxLabel {
			errs = append(errs, fmt.Errorf("labels: the name %.40q has not 1 to %d bytes", l, maxLabel))
		}
	}
	return errors.Join(errs...)
}

// key tells apart what instances of the processor may share: two of one configuration and
// name. It holds the passwords, since connections with different ones are different, and
// stays in this process.
func (c *Config) key(id string) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("otelplat_catalog: %w", err)
	}
	parts := []string{id, string(text)}
	if c.Document != nil && c.Document.Etcd != nil {
		parts = append(parts, string(c.Document.Etcd.Password))
	}
	if c.Discovery != nil {
		parts = append(parts, string(c.Discovery.Etcd.Password))
	}
	return strings.Join(parts, "\x00"), nil
}
