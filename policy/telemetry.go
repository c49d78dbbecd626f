// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"golang.org/x/time/rate"
)

const (
	scope = "github.com/otelplat/platform/policy"

	// allowSample is of how many decisions that allow one is an event.
	allowSample = 100

	// eventRate bounds decision events, so that a flood of denials is no flood of
	// logs. What is beyond is counted.
	eventRate  = 100
	eventBurst = 200

	// maxText bounds what a request puts into an event.
	maxText = 256

	// maxReason bounds why a bundle was refused.
	maxReason = 2048

	// maxSeries bounds the series of the decisions counter of one engine: a rule's
	// name may be computed from the request. What is beyond counts as overflow, as
	// the OTel SDK names it.
	maxSeries = 500
	overflow  = "otel.metric.overflow"
)

// telemetry reports decisions and loads through the global providers.
type telemetry struct {
	decisions, loads, suppressed metric.Int64Counter
	limit                        *rate.Limiter

	series sync.Map // counted to metric.MeasurementOption
	n      atomic.Int64
}

// counted are the attributes of a decision.
type counted struct{ entrypoint, outcome, rule string }

// beyond is the series of all decisions beyond maxSeries.
var beyond = metric.WithAttributeSet(attribute.NewSet(attribute.Bool(overflow, true)))

// attributes returns the series of a decision, made once for each.
func (t *telemetry) attributes(c counted) metric.MeasurementOption {
	if known, ok := t.series.Load(c); ok {
		return known.(metric.MeasurementOption)
	}
	if t.n.Load() >= maxSeries || t.n.Add(1) > maxSeries {
		return beyond
	}
	made := metric.WithAttributeSet(attribute.NewSet(
		attribute.String(semconv.PolicyEntrypoint, c.entrypoint),
		attribute.String(semconv.PolicyOutcome, c.outcome),
		attribute.String(semconv.PolicyRule, c.rule),
	))
	t.series.Store(c, made)
	return made
}

func newTelemetry() *telemetry {
	m := otel.Meter(scope)
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		if err != nil {
			otel.Handle(err)
			return noop.Int64Counter{}
		}
		return c
	}
	return &telemetry{
		decisions:  counter(semconv.PolicyDecisions, "{decision}", "Decisions by entrypoint, outcome and rule"),
		loads:      counter(semconv.PolicyLoads, "{load}", "Revisions of bundles that were applied or refused"),
		suppressed: counter(semconv.PolicySuppressed, "{event}", "Decision events beyond the rate limit"),
		limit:      rate.NewLimiter(eventRate, eventBurst),
	}
}

func outcome(d Decision) string {
	switch {
	case d.Allow:
		return "allow"
	case d.Rule == RuleError:
		return "error"
	}
	return "deny"
}

func (t *telemetry) decided(ctx context.Context, d Decision, in *Input) {
	t.decisions.Add(ctx, 1, t.attributes(counted{short(d.Entrypoint), outcome(d), short(d.Rule)}))
	if d.Allow && rand.IntN(allowSample) != 0 { //nolint:gosec // a sample, not a secret
		return
	}
	if !t.limit.Allow() {
		t.suppressed.Add(ctx, 1)
		return
	}
	severity := log.SeverityInfo
	attrs := []attribute.KeyValue{
		attribute.String(semconv.PolicyDecisionID, d.ID),
		attribute.String(semconv.PolicyEntrypoint, short(d.Entrypoint)),
		attribute.String(semconv.PolicyOutcome, outcome(d)),
		attribute.String(semconv.PolicyRule, short(d.Rule)),
		attribute.String(semconv.PolicyBundle, d.Bundle),
		attribute.String(semconv.PolicyRevision, d.Revision),
		attribute.String(semconv.PolicySubjectType, short(in.Subject.Type)),
		attribute.String(semconv.PolicySubjectID, short(in.Subject.ID)),
		attribute.String(semconv.PolicyAction, short(in.Action.Name)),
		attribute.String(semconv.PolicyResource, short(in.Resource.Type)),
		attribute.String(semconv.PolicyResourceID, short(in.Resource.ID)),
	}
	if d.Err != nil {
		severity = log.SeverityError
		attrs = append(attrs, attribute.String("error.message", short(d.Err.Error())))
	}
	emit(ctx, semconv.EventPolicyDecide, severity, attrs...)
}

// short bounds what comes from a request.
func short(s string) string { return clip(s, maxText) }

// clip cuts a text to n bytes and makes it UTF-8: one path with %ff in it would keep
// a whole batch of events from being exported.
func clip(s string, n int) string {
	if len(s) <= n && utf8.ValidString(s) {
		return s
	}
	s = strings.ToValidUTF8(s[:min(len(s), n)], "\uFFFD")
	for len(s) > n { // a replacement is longer than what it replaces
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

func (t *telemetry) loaded(b Bundle) {
	t.count(b.Name, "applied")
	emit(context.Background(), semconv.EventPolicyLoad, log.SeverityInfo,
		attribute.String(semconv.PolicyBundle, b.Name), attribute.String(semconv.PolicyRevision, b.Revision))
}

func (t *telemetry) refused(b Bundle, err error) {
	t.count(b.Name, "refused")
	emit(context.Background(), semconv.EventPolicyRefuse, log.SeverityError,
		attribute.String(semconv.PolicyBundle, b.Name), attribute.String(semconv.PolicyRevision, b.Revision),
		attribute.String("error.message", clip(err.Error(), maxReason)))
}

func (t *telemetry) unloaded(s *Snapshot) {
	emit(context.Background(), semconv.EventPolicyUnload, log.SeverityWarn,
		attribute.String(semconv.PolicyBundle, s.bundle), attribute.String(semconv.PolicyRevision, s.revision))
}

func (t *telemetry) count(bundle, outcome string) {
	t.loads.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String(semconv.PolicyBundle, bundle), attribute.String(semconv.PolicyOutcome, outcome)))
}

func emit(ctx context.Context, name string, severity log.Severity, attrs ...attribute.KeyValue) {
	var r log.Record
	r.SetEventName(name)
	r.SetSeverity(severity)
	r.AddAttributes(attrs...)
	otel.GetLoggerProvider().Logger(scope).Emit(ctx, r)
}
