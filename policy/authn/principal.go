// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"context"
	"time"
)

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
	ID      string // of the token (jti)
	Roles   []string
	Scopes  []string
	Claims  map[string]any // all claims of the token
	Expires time.Time
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
