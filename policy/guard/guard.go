// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrDenied is what a [*DeniedError] is.
var ErrDenied = errors.New("guard: denied")

// DeniedError says which rule denied a request. Returned by a gRPC handler it
// makes the status PermissionDenied.
type DeniedError struct {
	Action     string
	Rule       string // see [policy.Decision]
	DecisionID string
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("guard: %s denied by rule %s (decision %s)", e.Action, e.Rule, e.DecisionID)
}

// Unwrap returns [ErrDenied].
func (e *DeniedError) Unwrap() error { return ErrDenied }

// GRPCStatus is how gRPC sends the error.
func (e *DeniedError) GRPCStatus() *status.Status {
	return status.New(codes.PermissionDenied, fmt.Sprintf("denied by rule %s (decision %s)", e.Rule, e.DecisionID))
}

// Guard asks for every request. It is safe for concurrent use.
type Guard struct {
	verifier   authn.Verifier
	engine     *policy.Engine
	entrypoint string
	public     map[string]bool
}

// Option configures [New].
type Option func(*Guard)

// Public lets anybody call these HTTP paths and full gRPC methods: health checks.
// Nothing is authenticated or decided for them.
func Public(names ...string) Option {
	return func(g *Guard) {
		for _, name := range names {
			g.public[name] = true
		}
	}
}

// New returns a guard that asks an entrypoint of the engine, which the caller
// closes.
func New(v authn.Verifier, e *policy.Engine, entrypoint string, opts ...Option) *Guard {
	g := &Guard{verifier: v, engine: e, entrypoint: entrypoint, public: make(map[string]bool)}
	for _, o := range opts {
		o(g)
	}
	return g
}

// served is what a request's context carries.
type served struct {
	guard *Guard
	token string
}

type servedKey struct{}

// admit authenticates a request and asks whether it may pass.
func (g *Guard) admit(ctx context.Context, authorization, action string, resource policy.Entity) (context.Context, error) {
	token, ok := bearer(authorization)
	if !ok {
		return nil, authn.ErrUnauthenticated
	}
	p, err := g.verifier.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := g.decide(ctx, p, action, resource); err != nil {
		return nil, err
	}
	return authn.NewContext(context.WithValue(ctx, servedKey{}, served{g, token}), p), nil
}

// bearer returns the token of an Authorization header (RFC 6750; the scheme's case
// does not matter).
func bearer(authorization string) (string, bool) {
	scheme, token, ok := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "bearer") && token != ""
}

func (g *Guard) decide(ctx context.Context, p *authn.Principal, action string, resource policy.Entity) error {
	d, _ := g.engine.Decide(ctx, g.entrypoint, policy.Input{
		Subject: Subject(p), Action: policy.Action{Name: action}, Resource: resource,
	})
	if d.Allow {
		return nil
	}
	return &DeniedError{Action: action, Rule: d.Rule, DecisionID: d.ID.String()}
}

// Subject is how policies see a principal.
func Subject(p *authn.Principal) policy.Entity {
	properties := map[string]any{"issuer": p.Issuer}
	if p.Tenant != "" {
		properties["tenant"] = p.Tenant
	}
	// Always there, so that `not "admin" in input.subject.properties.roles` is
	// true of who has none, and not undefined.
	properties["roles"] = list(p.Roles)
	properties["scopes"] = list(p.Scopes)
	return policy.Entity{Type: p.Kind, ID: p.Subject, Properties: properties}
}

func list(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

// Authorize asks the guard that let the request in whether its principal may do
// something to an object. It returns a [*DeniedError], or an error that is
// [authn.ErrUnauthenticated] in a context that no guard made.
func Authorize(ctx context.Context, action string, object policy.Entity) error {
	s, guarded := ctx.Value(servedKey{}).(served)
	p, known := authn.FromContext(ctx)
	if !guarded || !known {
		return fmt.Errorf("%w: the request came through no guard", authn.ErrUnauthenticated)
	}
	return s.guard.decide(ctx, p, action, object)
}
