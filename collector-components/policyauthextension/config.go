// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/policy/authn"
)

const (
	maxIssuers     = 32
	maxWaitForKeys = time.Minute

	// defaultWait is how long the receivers stay closed for keys: past what an issuer
	// takes to answer, below what a start of the collector may take.
	defaultWait = 5 * time.Second
)

// Config is the user's configuration. At least one of jwks_file, issuers, api_keys and
// client_certificates says whom to let in.
type Config struct {
	// JWKSFile and Issuer are those of one issuer whose keys are in a file: the short
	// form of one of Issuers.
	JWKSFile string `mapstructure:"jwks_file"`
	Issuer   string `mapstructure:"issuer"`

	// Audience is what a token's aud must contain, where its issuer says no other.
	Audience string `mapstructure:"audience"`

	// Issuers are whose tokens are taken, at most 32.
	Issuers []IssuerConfig `mapstructure:"issuers"`

	// APIKeys lets senders with API keys in.
	APIKeys *APIKeysConfig `mapstructure:"api_keys"`

	// ClientCertificates lets senders in by their certificates: over gRPC, and over HTTP
	// where the extension is a middleware.
	ClientCertificates *CertificatesConfig `mapstructure:"client_certificates"`

	// Revocations are credentials that were taken back.
	Revocations *RevocationsConfig `mapstructure:"revocations"`

	// Anonymous lets requests without credentials pass, without a sender.
	Anonymous bool `mapstructure:"anonymous"`

	// WaitForKeys is how long the start waits for the keys of issuers that are asked
	// for them (5s; 0 to 1m), while the receivers do not listen yet.
	WaitForKeys time.Duration `mapstructure:"wait_for_keys"`
}

// IssuerConfig is one issuer of tokens.
type IssuerConfig struct {
	// Issuer is what a token's iss must be.
	Issuer string `mapstructure:"issuer"`

	// Audience is what its aud must contain; that of the extension when empty.
	Audience string `mapstructure:"audience"`

	// JWKSFile and JWKSURL are where the public keys are. With neither they are where
	// the issuer's OpenID Connect discovery document says.
	JWKSFile string `mapstructure:"jwks_file"`
	JWKSURL  string `mapstructure:"jwks_url"`
}

// APIKeysConfig says which API keys are taken.
type APIKeysConfig struct {
	// File holds their records, with hashes of the keys; it is read again when it changes.
	File string `mapstructure:"file"`
}

// CertificatesConfig says which client certificates are taken.
type CertificatesConfig struct {
	// TrustDomains are those of the SPIFFE IDs that name a service of ours.
	TrustDomains []string `mapstructure:"trust_domains"`
}

// RevocationsConfig says where revocations are.
type RevocationsConfig struct {
	// Etcd holds them.
	Etcd etcdconfig.Config `mapstructure:"etcd"`

	// RequireFresh refuses everybody while the list may be older than 5 minutes.
	RequireFresh bool `mapstructure:"require_fresh"`
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if (c.JWKSFile == "") != (c.Issuer == "") {
		errs = append(errs, errors.New("jwks_file and issuer go together"))
	}
	issuers := c.issuers()
	if len(issuers) == 0 && c.APIKeys == nil && c.ClientCertificates == nil {
		errs = append(errs, errors.New("one of jwks_file, issuers, api_keys and client_certificates is required"))
	}
	if len(issuers) > maxIssuers {
		errs = append(errs, fmt.Errorf("issuers are %d, more than %d", len(issuers), maxIssuers))
	}
	seen := make(map[string]bool)
	for _, i := range issuers {
		switch {
		case i.Issuer == "":
			errs = append(errs, errors.New("issuers: issuer is required"))
		case i.Audience == "":
			errs = append(errs, fmt.Errorf("audience is required for issuer %q", i.Issuer))
		case i.JWKSFile != "" && i.JWKSURL != "":
			errs = append(errs, fmt.Errorf("jwks_file and jwks_url of issuer %q exclude each other", i.Issuer))
		case seen[i.Issuer]:
			errs = append(errs, fmt.Errorf("issuer %q is there twice", i.Issuer))
		}
		seen[i.Issuer] = true
	}
	if c.APIKeys != nil && c.APIKeys.File == "" {
		errs = append(errs, errors.New("api_keys: file is required"))
	}
	if c.ClientCertificates != nil {
		if _, err := authn.NewCertificates(c.ClientCertificates.TrustDomains...); err != nil {
			errs = append(errs, fmt.Errorf("client_certificates: trust_domains: %w", err))
		}
	}
	if c.WaitForKeys < 0 || c.WaitForKeys > maxWaitForKeys {
		errs = append(errs, fmt.Errorf("wait_for_keys of %v is not between 0 and %v", c.WaitForKeys, maxWaitForKeys))
	}
	return errors.Join(errs...)
}

// issuers are all of them, the short form's first, each with its audience.
func (c *Config) issuers() []IssuerConfig {
	var all []IssuerConfig
	if c.JWKSFile != "" || c.Issuer != "" {
		all = append(all, IssuerConfig{Issuer: c.Issuer, JWKSFile: c.JWKSFile})
	}
	all = append(all, c.Issuers...)
	for i := range all {
		if all[i].Audience == "" {
			all[i].Audience = c.Audience
		}
	}
	return all
}
