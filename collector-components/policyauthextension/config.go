// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import "errors"

// Config is the user's configuration.
type Config struct {
	// JWKSFile holds the public keys that tokens are verified with.
	JWKSFile string `mapstructure:"jwks_file"`

	// Issuer is what a token's iss must be.
	Issuer string `mapstructure:"issuer"`

	// Audience is what a token's aud must contain.
	Audience string `mapstructure:"audience"`

	// Anonymous lets requests without a token pass, without a sender.
	Anonymous bool `mapstructure:"anonymous"`
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.JWKSFile == "" {
		errs = append(errs, errors.New("jwks_file is required"))
	}
	if c.Issuer == "" {
		errs = append(errs, errors.New("issuer is required"))
	}
	if c.Audience == "" {
		errs = append(errs, errors.New("audience is required"))
	}
	return errors.Join(errs...)
}
