// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "github.com/otelplat/platform/collector-components/policyprocessor"

// maxRuleNames bounds the names of rules in the metrics of one processor. A
// policy can make a rule's name from its input, which would put data into metric
// labels without end; names beyond the bound are counted as otherRule.
const (
	maxRuleNames = 256
	otherRule    = "_other"
)

// What happened to an item, and why.
const (
	actionDropped  = "dropped"
	actionKept     = "kept"
	actionRedacted = "redacted"

	reasonRule            = "rule"            // the rule said so
	reasonRuleFailed      = "rule_failed"     // the rule cannot be understood: its fields are removed
	reasonEvaluation      = "evaluation"      // the policy failed for this item
	reasonUnauthenticated = "unauthenticated" // no sender in the request
	reasonDenied          = "denied"          // the sender may not send as this service
	reasonNoBundle        = "no_bundle"       // nothing is loaded
	reasonDecisionFailed  = "decision_failed" // the claims policy failed
	ruleDrop, ruleKeep    = "_drop", "_keep"  // stand for the set of rules when it failed as a whole
	ruleRedact            = "_redact"
)

// telemetry counts what one processor does.
type telemetry struct {
	signal                                             string
	governed, failures, refused, claims, seen, matches metric.Int64Counter
	lastMatch                                          metric.Float64Gauge

	mu    sync.Mutex
	names map[string]struct{}
}

func newTelemetry(set component.TelemetrySettings, signal string) (*telemetry, error) {
	meter := set.MeterProvider.Meter(scopeName)
	t := &telemetry{signal: signal, names: make(map[string]struct{})}
	var errs [7]error
	t.governed, errs[0] = meter.Int64Counter(semconv.CollectorPolicyItems, metric.WithUnit("{item}"),
		metric.WithDescription("Spans, metrics and log records that a rule dropped, kept from being dropped or redacted"))
	t.failures, errs[1] = meter.Int64Counter(semconv.CollectorPolicyFailed, metric.WithUnit("{evaluation}"),
		metric.WithDescription("Evaluations of rules that failed"))
	t.refused, errs[2] = meter.Int64Counter(semconv.CollectorPolicyRefused, metric.WithUnit("{batch}"),
		metric.WithDescription("Batches that were refused, for the sender to try again"))
	t.claims, errs[3] = meter.Int64Counter(semconv.CollectorPolicyClaims, metric.WithUnit("{item}"),
		metric.WithDescription("Spans, metrics and log records that were removed because their sender may not send as that service"))
	t.seen, errs[4] = meter.Int64Counter(semconv.CollectorPolicySeen, metric.WithUnit("{item}"),
		metric.WithDescription("Spans, metrics and log records that the rules were asked about"))
	t.matches, errs[5] = meter.Int64Counter(semconv.CollectorPolicyMatches, metric.WithUnit("{item}"),
		metric.WithDescription("Spans, metrics and log records that a rule of drop or keep matched, acted upon or not"))
	t.lastMatch, errs[6] = meter.Float64Gauge(semconv.CollectorPolicyLastMatch, metric.WithUnit("s"),
		metric.WithDescription("When a rule of drop or keep matched last, in Unix time"))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return t, nil
}

func (t *telemetry) items(ctx context.Context, n int64, by tally) {
	t.governed.Add(ctx, n, metric.WithAttributes(
		attribute.String(semconv.CollectorAction, by.action), attribute.String(semconv.CollectorRule, t.name(by.rule)),
		attribute.String(semconv.CollectorReason, by.reason), attribute.String(semconv.CollectorSignal, t.signal)))
}

// judged counts a batch's items, and those of them that each rule matched.
func (t *telemetry) judged(ctx context.Context, seen int64, matches map[string]int64) {
	t.seen.Add(ctx, seen, metric.WithAttributes(attribute.String(semconv.CollectorSignal, t.signal)))
	if len(matches) == 0 {
		return
	}
	now := float64(time.Now().UnixMilli()) / 1000
	for rule, n := range matches {
		by := metric.WithAttributes(attribute.String(semconv.CollectorRule, t.name(rule)), attribute.String(semconv.CollectorSignal, t.signal))
		t.matches.Add(ctx, n, by)
		t.lastMatch.Record(ctx, now, by)
	}
}

func (t *telemetry) failed(ctx context.Context, rule, reason string) {
	t.failures.Add(ctx, 1, metric.WithAttributes(attribute.String(semconv.CollectorRule, t.name(rule)),
		attribute.String(semconv.CollectorReason, reason), attribute.String(semconv.CollectorSignal, t.signal)))
}

func (t *telemetry) refusedBatch(ctx context.Context, reason string) {
	t.refused.Add(ctx, 1, metric.WithAttributes(
		attribute.String(semconv.CollectorReason, reason), attribute.String(semconv.CollectorSignal, t.signal)))
}

func (t *telemetry) claimsRemoved(ctx context.Context, items int, reason string) {
	t.claims.Add(ctx, int64(items), metric.WithAttributes(
		attribute.String(semconv.CollectorReason, reason), attribute.String(semconv.CollectorSignal, t.signal)))
}

// name returns the rule's name while there is room for it.
func (t *telemetry) name(rule string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.names[rule]; known {
		return rule
	}
	if len(t.names) >= maxRuleNames {
		return otherRule
	}
	t.names[rule] = struct{}{}
	return rule
}
