// SPDX-License-Identifier: Apache-2.0

package authn_test

import (
	"testing"
	"time"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/authntest"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

func TestConformanceOfFixed(t *testing.T) {
	authntest.Verifier(t, func(_ *testing.T, principals []authn.Principal) (authn.Verifier, []string) {
		known := make(map[string]*authn.Principal)
		var tokens []string
		for i := range principals {
			token := "token-of-" + principals[i].String()
			tokens, known[token] = append(tokens, token), &principals[i]
		}
		return authn.NewFixed(known), tokens
	})
}

func TestConformanceOfJWT(t *testing.T) {
	authntest.Verifier(t, func(t *testing.T, principals []authn.Principal) (authn.Verifier, []string) {
		i := issuer(t)
		v, _ := verifier(t, i.JWKS())
		var tokens []string
		for _, p := range principals {
			tokens = append(tokens, token(t, i, devissuer.Claims{
				Kind: p.Kind, Subject: p.Subject, Tenant: p.Tenant, Roles: p.Roles, Scopes: p.Scopes,
				Now: p.Expires.Add(-time.Hour), TTL: time.Hour,
			}))
		}
		return v, tokens
	})
}
