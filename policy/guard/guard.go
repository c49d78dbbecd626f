// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
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

// RuleStale denies because revocations may be missing (see [Fresh]).
const RuleStale = "revocations-stale"

// HeaderDecision is the header of a response, and the metadata of an answer, with the id
// of the decision that let the request in or kept it out.
const HeaderDecision = "Decision-Id"

// Guard asks for every request. It is safe for concurrent use.
type Guard struct {
	verifier     authn.Verifier
	certificates *authn.Certificates // nil: none are taken
	fresh        func() bool
	engine       *policy.Engine
	entrypoint   string
	public       map[string]bool
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

// Certificates takes client certificates too, where a request has no bearer token: with
// one, the token counts, because a service may act for a user. The server has to verify
// certificates.
func Certificates(c *authn.Certificates) Option { return func(g *Guard) { g.certificates = c } }

// Fresh denies everything while revocations may be missing: fresh is (*revoked.List).Fresh,
// or another that tells. It is for what must not be done with a token that was taken
// back a moment ago; guards without it go on with what is known.
func Fresh(fresh func() bool) Option { return func(g *Guard) { g.fresh = fresh } }

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
	guard    *Guard
	token    string
	decision policy.Decision
}

type servedKey struct{}

// Decision returns the decision that let the request in: its obligations are the
// handler's to fulfil. ok is false in a context that no guard made.
func Decision(ctx context.Context) (d policy.Decision, ok bool) {
	s, ok := ctx.Value(servedKey{}).(*served)
	if !ok {
		return policy.Decision{}, false
	}
	return s.decision, true
}

// admit authenticates a request and asks whether it may pass. The id is that of the
// decision, where there was one.
func (g *Guard) admit(ctx context.Context, authorization string, connection *tls.ConnectionState, action string, resource policy.Entity) (context.Context, policy.DecisionID, error) {
	p, token, err := g.authenticate(ctx, authorization, connection)
	if err != nil {
		return nil, policy.DecisionID{}, err
	}
	if g.fresh != nil && !g.fresh() {
		return nil, policy.DecisionID{}, &DeniedError{Action: action, Rule: RuleStale}
	}
	d, err := g.decide(ctx, p, action, resource)
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String(semconv.PolicyDecisionID, d.ID.String()))
	}
	if err != nil {
		return nil, d.ID, err
	}
	return authn.NewContext(context.WithValue(ctx, servedKey{}, &served{g, token, d}), p), d.ID, nil
}

// authenticate finds out who sends a request.
func (g *Guard) authenticate(ctx context.Context, authorization string, connection *tls.ConnectionState) (*authn.Principal, string, error) {
	if authorization == "" && g.certificates != nil && connection != nil && len(connection.PeerCertificates) > 0 {
		p, err := g.certificates.Verify(connection)
		return p, "", err
	}
	token, ok := bearer(authorization)
	if !ok {
		return nil, "", authn.ErrUnauthenticated
	}
	p, err := g.verifier.Verify(ctx, token)
	return p, token, err
}

// bearer returns the token of an Authorization header (RFC 6750; the scheme's case
// does not matter).
func bearer(authorization string) (string, bool) {
	scheme, token, ok := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "bearer") && token != ""
}

func (g *Guard) decide(ctx context.Context, p *authn.Principal, action string, resource policy.Entity) (policy.Decision, error) {
	d, _ := g.engine.Decide(ctx, g.entrypoint, policy.Input{ // what went wrong is in the decision's event
		Subject: Subject(p), Action: policy.Action{Name: action}, Resource: resource,
	})
	if d.Allow {
		return d, nil
	}
	return d, &DeniedError{Action: action, Rule: d.Rule, DecisionID: d.ID.String()}
}

// Subject is how policies see a principal.
func Subject(p *authn.Principal) policy.Entity {
	return policy.Entity{Type: p.Kind, ID: p.Subject, Properties: p.Attributes()}
}

// Authorize asks the guard that let the request in whether its principal may do
// something to an object. It returns a [*DeniedError], or an error that is
// [authn.ErrUnauthenticated] in a context that no guard made.
func Authorize(ctx context.Context, action string, object policy.Entity) error {
	s, guarded := ctx.Value(servedKey{}).(*served)
	p, known := authn.FromContext(ctx)
	if !guarded || !known {
		return fmt.Errorf("%w: the request came through no guard", authn.ErrUnauthenticated)
	}
	_, err := s.guard.decide(ctx, p, action, object)
	return err
}
