// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/otelplat/platform/collector-components/policyprocessor/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// maxRuleNames bounds the names of rules in the metrics of one processor. A
// policy can make a rule's name from its input, which would put data into metric
// labels without end; names beyond the bound are counted as otherRule.
const (
	maxRuleNames = 256
	otherRule    = "_other"
)

// Why something happened to an item.
const (
	reasonRule            = "rule"            // the rule said so
	reasonDryRun          = "dry_run"         // the rule said so, and does not act
	reasonRuleFailed      = "rule_failed"     // the rule cannot be understood: its fields are deleted
	reasonEvaluation      = "evaluation"      // the policy failed for this item
	reasonUnauthenticated = "unauthenticated" // no sender in the request
	reasonDenied          = "denied"          // the sender may not send as this service
	reasonNoBundle        = "no_bundle"       // nothing is loaded
	reasonBundleRefused   = "bundle_refused"  // what is loaded is not for this mode, and nothing was before it
	reasonDecisionFailed  = "decision_failed" // the claims policy failed
)

// telemetry counts what one processor does.
type telemetry struct {
	*metadata.TelemetryBuilder
	signal string

	mu    sync.Mutex
	names map[string]struct{}
}

// newTelemetry returns the telemetry of a processor whose bundle comes through a gate.
func newTelemetry(set component.TelemetrySettings, signal string, bundle string, g *gate) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	t := &telemetry{TelemetryBuilder: builder, signal: signal, names: make(map[string]struct{})}
	err = builder.RegisterProcessorPolicyBundleRevisionCallback(func(_ context.Context, o metric.Int64Observer) error {
		if engine := g.engine.Load(); engine != nil {
			if s := engine.Snapshot(); s != nil {
				number, _ := strconv.ParseInt(s.Revision(), 10, 64) // 0 for what is no number
				o.Observe(number, metric.WithAttributes(attribute.String("bundle", bundle), attribute.String("digest", s.Digest()[:16])))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return t, nil
}

func (t *telemetry) attributes(by ...string) metric.MeasurementOption {
	list := make([]attribute.KeyValue, 0, len(by)/2+1)
	for i := 0; i < len(by); i += 2 {
		list = append(list, attribute.String(by[i], by[i+1]))
	}
	return metric.WithAttributeSet(attribute.NewSet(append(list, attribute.String(semconv.CollectorSignal, t.signal))...))
}

// tell counts what happened to a batch.
func (t *telemetry) tell(ctx context.Context, r *report) {
	t.ProcessorPolicySeenItems.Add(ctx, r.seen, t.attributes())
	now := float64(time.Now().UnixMilli()) / 1000
	r.matched(func(rule *rule, n int64) {
		by := t.attributes(semconv.CollectorAction, actions[rule.kind], semconv.CollectorRule, t.name(rule.name))
		t.ProcessorPolicyRuleMatches.Add(ctx, n, by)
		t.ProcessorPolicyRuleLastMatch.Record(ctx, now, by)
	})
	for a, n := range r.acts {
		t.ProcessorPolicyItems.Add(ctx, n, t.attributes(
			semconv.CollectorAction, actions[a.kind], semconv.CollectorRule, t.name(a.rule), semconv.CollectorReason, a.reason))
	}
	for f, trouble := range r.failures {
		t.failed(ctx, trouble.n, f.rule, f.reason)
	}
}

func (t *telemetry) failed(ctx context.Context, n int64, rule, reason string) {
	t.ProcessorPolicyRuleFailures.Add(ctx, n, t.attributes(semconv.CollectorRule, t.name(rule), semconv.CollectorReason, reason))
}

func (t *telemetry) refusedBatch(ctx context.Context, reason string) {
	t.ProcessorPolicyRefusedBatches.Add(ctx, 1, t.attributes(semconv.CollectorReason, reason))
}

func (t *telemetry) claimsRemoved(ctx context.Context, items int, reason string) {
	t.ProcessorPolicyClaimsItems.Add(ctx, int64(items), t.attributes(semconv.CollectorReason, reason))
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
