// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"slices"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy/authn"
	"go.opentelemetry.io/collector/client"
)

var _ client.AuthData = sender{}

// sender is the principal as the collector's components read it.
type sender struct{ principal *authn.Principal }

// GetAttribute returns a string, for roles and scopes a []string of the caller's own, or
// nil for a name that is not one of GetAttributeNames.
func (s sender) GetAttribute(name string) any {
	switch name {
	case semconv.SenderSubject:
		return s.principal.Subject
	case semconv.SenderKind:
		return s.principal.Kind
	case semconv.SenderIssuer:
		return s.principal.Issuer
	case semconv.SenderTenant:
		return s.principal.Tenant
	case semconv.SenderPrincipal:
		return s.principal.String()
	case semconv.SenderMethod:
		return s.principal.Method
	case semconv.SenderRoles:
		return slices.Clone(s.principal.Roles) // the principal is shared by all who send its token
	case semconv.SenderScopes:
		return slices.Clone(s.principal.Scopes)
	}
	return nil
}

// GetAttributeNames implements client.AuthData.
func (s sender) GetAttributeNames() []string {
	return []string{
		semconv.SenderSubject, semconv.SenderKind, semconv.SenderIssuer, semconv.SenderTenant,
		semconv.SenderPrincipal, semconv.SenderMethod, semconv.SenderRoles, semconv.SenderScopes,
	}
}
