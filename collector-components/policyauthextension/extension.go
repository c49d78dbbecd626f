// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy/authn"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

var (
	_ extension.Extension            = (*authenticator)(nil)
	_ extensionauth.Server           = (*authenticator)(nil)
	_ extensionmiddleware.HTTPServer = (*authenticator)(nil)
)

type authenticator struct {
	cfg *Config
	log *zap.Logger
	tel *metadata.TelemetryBuilder

	verifiers atomic.Pointer[verifiers] // nil before Start and after Shutdown
}

func newExtension(set extension.Settings, cfg *Config) (*authenticator, error) {
	tel, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("otelplat_policy_auth: %w", err)
	}
	return &authenticator{cfg: cfg, log: set.Logger, tel: tel}, nil
}

// Start reads the files. For keys that are fetched it waits a bounded time, because over
// HTTP an authenticator has no answer after which senders try again, and a receiver that
// does not listen yet has one; an issuer that is away longer keeps out those that it
// vouches for, and nobody else.
func (a *authenticator) Start(ctx context.Context, _ component.Host) error {
	v, err := openVerifiers(a.cfg)
	if err != nil {
		return fmt.Errorf("otelplat_policy_auth: %w", err)
	}
	wait, cancel := context.WithTimeout(ctx, a.cfg.WaitForKeys)
	defer cancel()
	if err := v.waitReady(wait); err != nil {
		a.log.Warn("started without the keys of all issuers", zap.Error(err))
	}
	a.verifiers.Store(v)
	return nil
}

// Shutdown forgets the keys: whoever comes after it is refused.
func (a *authenticator) Shutdown(context.Context) error {
	v := a.verifiers.Swap(nil)
	if v == nil {
		return nil
	}
	return v.Close()
}

// Authenticate implements extensionauth.Server.
func (a *authenticator) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	ctx, answer := a.admit(ctx, sources, connection(ctx))
	if answer != nil {
		return ctx, answer
	}
	return ctx, nil
}

// admit returns the context with the sender in it, or, counted, what to answer: nobody
// comes in but by it.
func (a *authenticator) admit(ctx context.Context, sources map[string][]string, state *tls.ConnectionState) (context.Context, *refusal) {
	v := a.verifiers.Load()
	if v == nil {
		return ctx, a.refuse(ctx, reasonNotRunning, errNotNow)
	}
	principal, err := v.principal(ctx, sources, state)
	switch {
	case err != nil:
		reason, answer := refused(err)
		return ctx, a.refuse(ctx, reason, answer)
	case principal != nil:
		info := client.FromContext(ctx)
		info.Auth = sender{principal}
		return client.NewContext(authn.NewContext(ctx, principal), info), nil
	case a.cfg.Anonymous:
		return ctx, nil
	}
	return ctx, a.refuse(ctx, reasonNoToken, errNoCredentials)
}

func (a *authenticator) refuse(ctx context.Context, reason string, answer *refusal) *refusal {
	a.tel.ExtensionPolicyAuthRefusals.Add(ctx, 1, metric.WithAttributes(attribute.String(semconv.CollectorReason, reason)))
	a.log.Debug("request refused", zap.String("reason", reason))
	return answer
}
