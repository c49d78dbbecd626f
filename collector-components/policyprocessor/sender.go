// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"
	"sync"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	entrypointClaims = "otelplat.claims"
	serviceName      = "service.name"

	// maxClaims bounds the cached decisions: senders times the services that each
	// says it is, of which an honest one has one.
	maxClaims = 4096
)

// claim is "this principal sends as this service".
type claim struct{ kind, subject, issuer, tenant, service string }

func (c claim) input() policy.Input {
	properties := map[string]any{semconv.SenderIssuer: c.issuer}
	if c.tenant != "" {
		properties[semconv.SenderTenant] = c.tenant
	}
	return policy.Input{
		Subject:  policy.Entity{Type: c.kind, ID: c.subject, Properties: properties},
		Action:   policy.Action{Name: "send"},
		Resource: policy.Entity{Type: "service", ID: c.service},
	}
}

// sender is who sent one batch.
type sender struct {
	*claims
	ctx           context.Context // of the batch, for whose length a sender lives
	engine        *policy.Engine
	revision      string // of the bundle
	who           claim  // without the service
	authenticated bool
	removed       string // why the first resource was removed; "" while none was
	failed        error  // why the batch is refused as a whole
}

// sender returns who sent the batch; nil when there is no bundle and none is
// required.
func (c *claims) sender(ctx context.Context) (*sender, error) {
	engine, snapshot, err := c.gate.open(ctx)
	if err != nil || snapshot == nil {
		return nil, err
	}
	s := &sender{claims: c, ctx: ctx, engine: engine, revision: snapshot.Revision()}
	auth := client.FromContext(ctx).Auth
	if auth == nil {
		return s, nil
	}
	text := func(name string) string {
		v, _ := auth.GetAttribute(name).(string)
		return v
	}
	s.who = claim{
		kind: text(semconv.SenderKind), subject: text(semconv.SenderSubject),
		issuer: text(semconv.SenderIssuer), tenant: text(semconv.SenderTenant),
	}
	s.authenticated = s.who.subject != ""
	return s, nil
}

// mayNotSend says whether a resource is to be removed, and counts its items.
func (s *sender) mayNotSend(r pcommon.Resource, items func() int) bool {
	if s.failed != nil {
		return false
	}
	reason := reasonUnauthenticated
	if s.authenticated {
		service := ""
		if v, ok := r.Attributes().Get(serviceName); ok {
			service = v.AsString()
		}
		reason = s.decide(service)
	}
	if reason == "" || s.failed != nil {
		return false
	}
	if s.removed == "" {
		s.removed = reason
	}
	n := items()
	s.telemetry.claimsRemoved(s.ctx, n, reason)
	s.log.Warn("telemetry of a service was removed: its sender may not send it",
		zap.String("reason", reason), zap.String("kind", s.who.kind), zap.String("subject", s.who.subject), zap.Int("items", n))
	return true
}

// decide returns why the sender may not send as the service, "" when it may.
func (s *sender) decide(service string) (reason string) {
	who := s.who
	who.service = service
	if reason, known := s.cache.get(s.revision, who); known {
		return reason
	}
	d, err := s.engine.Decide(s.ctx, entrypointClaims, who.input())
	switch {
	case d.Allow:
	case s.ctx.Err() != nil:
		s.failed = s.ctx.Err()
		return ""
	case errors.Is(err, policy.ErrNoBundle): // it was unloaded since the batch began
		s.failed = errNoBundle
		return ""
	case err != nil: // may be another answer next time
		s.telemetry.failed(s.ctx, entrypointClaims, reasonDecisionFailed)
		s.log.Warn("the claims policy failed", zap.String("cause", cause(err)))
		return reasonDecisionFailed
	default:
		reason = reasonDenied
	}
	s.cache.put(d.Revision, who, reason)
	return reason
}

// outcome is how the batch ends.
func (s *sender) outcome(left int) error {
	switch {
	case s.failed != nil:
		return s.failed
	case s.reject && s.removed == reasonDecisionFailed:
		return errNoDecision
	case s.reject && s.removed != "":
		return errNotAllowed
	}
	return outcome(s.ctx, left)
}

// What the sender of a request gets that is refused as a whole.
var (
	errNotAllowed = status.Error(codes.PermissionDenied, "the sender may not send as this service")
	errNoDecision = status.Error(codes.Unavailable, "the claims policy failed: try again")
)

// claimCache keeps the decisions of one revision. Beyond its bound it starts
// again: what it saves is an evaluation for each batch.
type claimCache struct {
	mu       sync.Mutex
	revision string
	reasons  map[claim]string
}

func (c *claimCache) get(revision string, who claim) (reason string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revision != revision {
		return "", false
	}
	reason, known = c.reasons[who]
	return reason, known
}

func (c *claimCache) put(revision string, who claim, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revision != revision || c.reasons == nil || len(c.reasons) >= maxClaims {
		c.revision, c.reasons = revision, make(map[claim]string)
	}
	c.reasons[who] = reason
}
