// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	entrypointClaims = "otelplat.claims"
	serviceName      = "service.name"
	serviceNamespace = "service.namespace"

	// maxClaims bounds the cached decisions: senders times the services that each
	// says it is, of which an honest one has one.
	maxClaims = 4096
)

// claim is "this principal sends as this service, of this namespace and tenant". What
// the resource does not say is empty.
type claim struct {
	kind, subject, issuer, tenant, method string
	roles                                 string // as JSON, so that claims compare
	service, namespace, ofTenant          string
}

// maxClaimBytes bounds a claim whose decision is cached.
const maxClaimBytes = 1024

func (c claim) bytes() int {
	return len(c.kind) + len(c.subject) + len(c.issuer) + len(c.tenant) + len(c.method) + len(c.roles) + len(c.service) + len(c.namespace) + len(c.ofTenant)
}

func (c claim) input(roles []string) policy.Input {
	properties := map[string]any{semconv.SenderIssuer: c.issuer}
	if c.tenant != "" {
		properties[semconv.SenderTenant] = c.tenant
	}
	if c.method != "" {
		properties[semconv.SenderMethod] = c.method
	}
	if len(roles) > 0 {
		properties[semconv.SenderRoles] = roles
	}
	claimed := map[string]any{}
	if c.namespace != "" {
		claimed["namespace"] = c.namespace
	}
	if c.ofTenant != "" {
		claimed[semconv.SenderTenant] = c.ofTenant
	}
	return policy.Input{
		Subject:  policy.Entity{Type: c.kind, ID: c.subject, Properties: properties},
		Action:   policy.Action{Name: "send"},
		Resource: policy.Entity{Type: "service", ID: c.service, Properties: claimed},
	}
}

// sender is who sent one batch.
type sender struct {
	*claims
	ctx           context.Context // of the batch, for whose length a sender lives
	engine        *policy.Engine
	name          string // the revision of the bundle
	revision      string // and what is in it: a number can come again with another content
	who           claim  // without the service
	roles         []string
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
	s := &sender{claims: c, ctx: ctx, engine: engine, name: snapshot.Revision(), revision: snapshot.Digest()}
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
		issuer: text(semconv.SenderIssuer), tenant: text(semconv.SenderTenant), method: text(semconv.SenderMethod),
	}
	if roles, ok := auth.GetAttribute(semconv.SenderRoles).([]string); ok && len(roles) > 0 {
		words, _ := json.Marshal(roles) // of strings: it cannot fail
		s.roles, s.who.roles = roles, string(words)
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
		who := s.who
		var one [3]bool
		who.service, one[0] = claimed(r, serviceName)
		who.namespace, one[1] = claimed(r, serviceNamespace)
		who.ofTenant, one[2] = claimed(r, s.tenantAttribute)
		if reason = reasonDenied; one == [3]bool{true, true, true} {
			reason = s.decide(who)
		}
	}
	if reason == "" || s.failed != nil {
		return false
	}
	if s.removed == "" {
		s.removed = reason
	}
	n := items()
	s.telemetry.claimsRemoved(s.ctx, n, reason)
	s.events.emit(s.ctx, s.telemetry, semconv.TelemetryRefuse, attribute.String(semconv.TelemetrySender, s.who.kind+":"+s.who.subject),
		attribute.String(semconv.TelemetryReason, reason), attribute.Int(semconv.TelemetryItems, n))
	s.log.Warn("telemetry of a service was removed: its sender may not send it",
		zap.String("reason", reason), zap.String("kind", s.who.kind), zap.String("subject", s.who.subject), zap.Int("items", n))
	return true
}

// claimed is what a resource says of itself; "" when it says nothing. It is not ok when
// it says two things: readers differ in which of two values they take.
func claimed(r pcommon.Resource, key string) (value string, ok bool) {
	n := 0
	for k, v := range r.Attributes().All() {
		if k == key {
			value = v.AsString()
			n++
		}
	}
	return value, n < 2
}

// decide returns why the sender may not send as the service, "" when it may.
func (s *sender) decide(who claim) (reason string) {
	if reason, known := s.cache.get(s.revision, who); known {
		return reason
	}
	d, err := s.engine.Decide(s.ctx, entrypointClaims, who.input(s.roles))
	switch {
	case d.Allow:
	case s.ctx.Err() != nil:
		s.failed = s.ctx.Err()
		return ""
	case errors.Is(err, policy.ErrNoBundle): // it was unloaded since the batch began
		s.failed = errNoBundle
		return ""
	case err != nil: // may be another answer next time
		s.telemetry.failed(s.ctx, 1, entrypointClaims, reasonDecisionFailed)
		s.log.Warn("the claims policy failed", zap.String("cause", cause(err)))
		return reasonDecisionFailed
	default:
		reason = reasonDenied
	}
	if who.bytes() <= maxClaimBytes && d.Revision == s.name {
		s.cache.put(s.revision, who, reason)
	}
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
