// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"errors"
	"fmt"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/coord"
	"go.opentelemetry.io/collector/config/configopaque"
)

// The modes.
const (
	ModeEnforce = "enforce"
	ModeObserve = "observe"
	ModeClaims  = "claims"
)

// Config is the user's configuration. The bundle comes from a directory or from
// etcd, one of them.
type Config struct {
	// Mode is what the processor does: "enforce", "observe", which counts what the
	// observe rules of a bundle match and changes nothing, or "claims".
	Mode string `mapstructure:"mode"`

	// Bundle is the bundle's name.
	Bundle string `mapstructure:"bundle"`

	// Directory holds the bundle's files; changes are seen within a second.
	Directory string `mapstructure:"directory"`

	// Etcd is where the bundle is: policy/<bundle> of its namespace.
	Etcd *etcdconfig.Config `mapstructure:"etcd"`

	// Keys are files of public keys that a bundle in etcd may be signed with.
	Keys []string `mapstructure:"keys"`

	// RequireBundle refuses telemetry, for the sender to try again, while no bundle
	// is loaded. Without it everything passes in that time, secrets too.
	RequireBundle bool `mapstructure:"require_bundle"`

	// Reject, with mode claims, refuses a whole request of which a part may not be
	// sent, with PermissionDenied, instead of removing that part: for published
	// events, of which none may vanish without a word.
	Reject bool `mapstructure:"reject"`

	// TenantAttribute is the resource attribute that says which tenant a resource
	// belongs to; mode claims asks whether its sender may say so. "tenant.id" by
	// default.
	TenantAttribute string `mapstructure:"tenant_attribute"`

	// HashKey is the key of the redaction "hash". Collectors with the same key give
	// the same hashes; without one each process makes up its own.
	HashKey configopaque.String `mapstructure:"hash_key"`
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.Mode != ModeEnforce && c.Mode != ModeObserve && c.Mode != ModeClaims {
		errs = append(errs, fmt.Errorf("mode is %q, not %s, %s or %s", c.Mode, ModeEnforce, ModeObserve, ModeClaims))
	}
	if c.Reject && c.Mode != ModeClaims {
		errs = append(errs, fmt.Errorf("reject needs the mode %s", ModeClaims))
	}
	if err := coord.CheckName("bundle", c.Bundle); err != nil {
		errs = append(errs, err)
	}
	switch {
	case (c.Directory == "") == (c.Etcd == nil):
		errs = append(errs, errors.New("one of directory and etcd is required, and not both"))
	case c.Etcd != nil && len(c.Keys) == 0:
		errs = append(errs, errors.New("keys are required with etcd: only signed bundles are taken from there"))
	}
	return errors.Join(errs...)
}
