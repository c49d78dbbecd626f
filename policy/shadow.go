// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"slices"
	"strings"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
)

// WithShadow evaluates a candidate on live traffic: each request is decided by the
// engine's source, and asked of the candidate's newest bundle after it. Only where the
// two disagree is there an event, otelplat.policy.disagree. The candidate decides
// nothing. Its source belongs to the engine.
func WithShadow(candidate Source) Option {
	return func(e *Engine) { e.shadow = &shadow{source: candidate, tel: e.tel, opened: e} }
}

// shadow is the candidate of an engine.
type shadow struct {
	source Source
	tel    *telemetry
	opened *Engine // whose limits and entrypoints count for the candidate too
	engine *Engine
}

// open starts to follow the candidate, when all options of the engine are known.
func (s *shadow) open(ctx context.Context) error {
	if s == nil {
		return nil
	}
	var err error
	s.engine, err = Open(ctx, s.source, WithTimeout(s.opened.limits.timeout), WithEntrypoints(s.opened.entrypoints...))
	return err
}

func (s *shadow) close() error {
	switch {
	case s == nil:
		return nil
	case s.engine == nil:
		return s.source.Close()
	}
	return s.engine.Close()
}

// compare asks the candidate, and reports where it says something else.
func (s *shadow) compare(ctx context.Context, d *Decision, in *Input) {
	candidate := s.engine.current.Load()
	if candidate == nil {
		return
	}
	other := Decision{Entrypoint: d.Entrypoint}
	_, _ = candidate.decide(ctx, &other, in, s.tel, s.engine.limits) // how it fails is its outcome
	agreed := d.Allow == other.Allow && d.Outcome == other.Outcome && slices.Equal(d.Rules, other.Rules)
	result := "agree"
	if !agreed {
		result = "disagree"
	}
	s.tel.shadowed.Add(ctx, 1, metric.WithAttributes(
		attribute.String(semconv.PolicyEntrypoint, short(d.Entrypoint)), attribute.String(semconv.PolicyOutcome, result)))
	if agreed || !s.tel.limit.Allow() {
		return
	}
	emit(ctx, semconv.EventPolicyDisagree, log.SeverityWarn,
		attribute.String(semconv.PolicyDecisionID, d.ID.String()),
		attribute.String(semconv.PolicyEntrypoint, short(d.Entrypoint)),
		attribute.String(semconv.PolicyOutcome, string(d.Outcome)),
		attribute.String(semconv.PolicyRule, short(d.Rule)),
		attribute.String(semconv.PolicyRevision, d.Revision),
		attribute.String(semconv.PolicyCandidateOutcome, string(other.Outcome)),
		attribute.String(semconv.PolicyCandidateRule, short(strings.Join(append([]string{other.Rule}, other.Rules...), " "))),
		attribute.String(semconv.PolicyCandidateRevision, other.Revision),
		attribute.String(semconv.PolicySubjectType, short(in.Subject.Type)),
		attribute.String(semconv.PolicySubjectID, short(in.Subject.ID)),
		attribute.String(semconv.PolicyAction, short(in.Action.Name)),
		attribute.String(semconv.PolicyResource, short(in.Resource.Type)),
		attribute.String(semconv.PolicyResourceID, short(in.Resource.ID)))
}
