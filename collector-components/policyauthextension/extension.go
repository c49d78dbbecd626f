// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy/authn"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

var (
	_ extension.Extension  = (*authenticator)(nil)
	_ extensionauth.Server = (*authenticator)(nil)
)

// What a sender reads of a refusal. It tells nothing of the keys or the token.
var (
	errNoToken = errors.New("no bearer token")
	errRefused = errors.New("the bearer token was refused")
)

type authenticator struct {
	cfg      *Config
	log      *zap.Logger
	refusals metric.Int64Counter

	verifier atomic.Pointer[authn.JWT] // nil before Start and after Shutdown
}

func newExtension(set extension.Settings, cfg *Config) (*authenticator, error) {
	refusals, err := set.MeterProvider.Meter("github.com/otelplat/platform/collector-components/policyauthextension").
		Int64Counter(semconv.CollectorAuthRefusals, metric.WithUnit("{request}"),
			metric.WithDescription("Requests that were refused for want of a valid token, by reason"))
	if err != nil {
		return nil, fmt.Errorf("otelplat_policy_auth: %w", err)
	}
	return &authenticator{cfg: cfg, log: set.Logger, refusals: refusals}, nil
}

// Start reads the keys.
func (a *authenticator) Start(context.Context, component.Host) error {
	keys, err := authn.Open(authn.Config{JWKSFile: a.cfg.JWKSFile, Issuer: a.cfg.Issuer, Audience: a.cfg.Audience})
	if err != nil {
		return fmt.Errorf("otelplat_policy_auth: %w", err)
	}
	a.verifier.Store(keys)
	return nil
}

// Shutdown forgets the keys: whoever comes after it is refused.
func (a *authenticator) Shutdown(context.Context) error {
	a.verifier.Store(nil)
	return nil
}

// Authenticate implements extensionauth.Server.
func (a *authenticator) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	token, sent := bearer(sources)
	if !sent {
		if a.cfg.Anonymous {
			return ctx, nil
		}
		return ctx, a.refuse(ctx, "no_token", errNoToken)
	}
	verifier := a.verifier.Load()
	if verifier == nil {
		return ctx, a.refuse(ctx, "not_running", errRefused)
	}
	principal, err := verifier.Verify(ctx, token)
	if err != nil {
		return ctx, a.refuse(ctx, reason(err), errRefused)
	}
	info := client.FromContext(ctx)
	info.Auth = sender{principal}
	return client.NewContext(authn.NewContext(ctx, principal), info), nil
}

func (a *authenticator) refuse(ctx context.Context, reason string, err error) error {
	a.refusals.Add(ctx, 1, metric.WithAttributes(attribute.String(semconv.CollectorReason, reason)))
	a.log.Debug("request refused", zap.String("reason", reason))
	return err
}

// bearer returns the token of the authorization header, and whether there is
// such a header. HTTP's sources have the canonical name, gRPC's the lower one.
func bearer(sources map[string][]string) (token string, sent bool) {
	values := sources["authorization"]
	if len(values) == 0 {
		values = sources["Authorization"]
	}
	if len(values) == 0 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "bearer") {
		return "", true // two headers, or another scheme: no token of ours
	}
	return strings.TrimSpace(token), true
}

// reason is the counter's attribute for an error of package authn.
func reason(err error) string {
	switch {
	case errors.Is(err, authn.ErrExpired):
		return "expired"
	case errors.Is(err, authn.ErrUnknownKey):
		return "unknown_key"
	case errors.Is(err, authn.ErrMalformed):
		return "malformed"
	case errors.Is(err, authn.ErrSignature):
		return "signature"
	case errors.Is(err, authn.ErrNotYet):
		return "not_yet"
	case errors.Is(err, authn.ErrIssuer):
		return "issuer"
	case errors.Is(err, authn.ErrAudience):
		return "audience"
	default:
		return "invalid"
	}
}
