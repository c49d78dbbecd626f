// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"context"
	"time"
)

// Methods by which a principal was authenticated.
const (
	MethodJWT         = "jwt"
	MethodCertificate = "certificate"
	MethodAPIKey      = "api_key"
)

// Actor is who acts for a principal (RFC 8693, claim act).
type Actor struct {
	Issuer  string `json:"iss,omitempty"`
	Subject string `json:"sub"`
}

// Kinds of principals.
const (
	User    = "user"
	Service = "service"
)

// Principal is who sends a request, as an issuer vouches. It is immutable: it is
// shared by all requests with the same token.
type Principal struct {
	Kind    string // User or Service
	Subject string
	Issuer  string
	Tenant  string
	ID      string // of the token (jti) or the key
	Session string // of the user's login (sid)
	Method  string // one of the Method constants
	Roles   []string
	Scopes  []string
	Actors  []Actor        // who acts for the subject: the current one first
	Claims  map[string]any // all claims of the token
	Issued  time.Time      // zero where it is not known
	Expires time.Time      // zero for never

	attributes map[string]any // made once
}

// Attributes are the principal's properties as policies see them: issuer, tenant, roles,
// scopes, method, actors and claims. Roles and scopes are always there, so that
// `not "admin" in input.subject.properties.roles` is true of who has none, and not
// undefined. The map must not be changed.
func (p *Principal) Attributes() map[string]any {
	if p.attributes != nil {
		return p.attributes
	}
	return p.describe()
}

func (p *Principal) describe() map[string]any {
	m := map[string]any{"issuer": p.Issuer, "roles": anys(p.Roles), "scopes": anys(p.Scopes)}
	if p.Tenant != "" {
		m["tenant"] = p.Tenant
	}
	if p.Method != "" {
		m["method"] = p.Method
	}
	if len(p.Actors) > 0 {
		actors := make([]any, len(p.Actors))
		for i, a := range p.Actors {
			actors[i] = map[string]any{"issuer": a.Issuer, "id": a.Subject}
		}
		m["actors"] = actors
	}
	if p.Claims != nil {
		m["claims"] = p.Claims
	}
	return m
}

func anys(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

// String returns kind and subject, "service:orders": the name under which the
// platform counts the principal's voice.
func (p *Principal) String() string { return p.Kind + ":" + p.Subject }

type contextKey struct{}

// NewContext returns a context that carries the principal of the request.
func NewContext(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the principal of the request.
func FromContext(ctx context.Context) (*Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(*Principal)
	return p, ok
}
