// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"maps"
	"strconv"
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

	// eventRate bounds the events of a candidate that disagrees about everything.
	eventRate  = 100
	eventBurst = 200

	// maxReason bounds why a bundle was refused.
	maxReason = 2048

	// maxSeries bounds the series of the decisions counter of one engine: a rule's
	// name may be computed from the request. What is beyond counts as overflow, as
	// the OTel SDK names it.
	maxSeries = 500
	overflow  = "otel.metric.overflow"
)

// telemetry reports decisions and loads through the global providers. Decisions are
// counted here, and read when metrics are collected: an instrument of OpenTelemetry
// takes as long as the decision.
type telemetry struct {
	loads, suppressed, surprises, shadowed metric.Int64Counter
	limit                                  *rate.Limiter
	registration                           metric.Registration

	mu     sync.Mutex // held by who adds a series
	series atomic.Pointer[map[counted]*atomic.Int64]
	beyond atomic.Int64
}

// counted are the attributes of a decision.
type counted struct {
	entrypoint string
	outcome    Outcome
	rule       string
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
	t := &telemetry{
		loads:      counter(semconv.PolicyLoads, "{load}", "Revisions of bundles that were applied or refused"),
		suppressed: counter(semconv.PolicySuppressed, "{event}", "Decision events for which the queue had no room"),
		surprises:  counter(semconv.PolicySurprises, "{decision}", "Decisions that a lowered entrypoint left to OPA"),
		shadowed:   counter(semconv.PolicyShadowed, "{decision}", "Decisions that were asked of a candidate too"),
		limit:      rate.NewLimiter(eventRate, eventBurst),
	}
	t.series.Store(&map[counted]*atomic.Int64{})
	return t
}

// observe reports what is counted, and the engine's bundle, until end.
func (t *telemetry) observe(e *Engine) {
	m := otel.Meter(scope)
	decisions, err1 := m.Int64ObservableCounter(semconv.PolicyDecisions, metric.WithUnit("{decision}"), metric.WithDescription("Decisions by entrypoint, outcome and rule"))
	revision, err2 := m.Int64ObservableGauge(semconv.PolicyBundleRevision, metric.WithUnit("{revision}"), metric.WithDescription("Revision of the bundle in force"))
	age, err3 := m.Float64ObservableGauge(semconv.PolicyBundleAge, metric.WithUnit("s"), metric.WithDescription("Time since the bundle was known to be the newest"))
	if err := errors.Join(err1, err2, err3); err != nil {
		otel.Handle(err)
		return
	}
	var err error
	t.registration, err = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for c, n := range *t.series.Load() {
			o.ObserveInt64(decisions, n.Load(), metric.WithAttributeSet(attribute.NewSet(
				attribute.String(semconv.PolicyEntrypoint, short(c.entrypoint)),
				attribute.String(semconv.PolicyOutcome, string(c.outcome)),
				attribute.String(semconv.PolicyRule, short(c.rule)),
			)))
		}
		if n := t.beyond.Load(); n > 0 {
			o.ObserveInt64(decisions, n, metric.WithAttributes(attribute.Bool(overflow, true)))
		}
		if s := e.current.Load(); s != nil {
			number, _ := strconv.ParseInt(s.revision, 10, 64) // 0 for what is no number
			bundle := metric.WithAttributes(attribute.String(semconv.PolicyBundle, s.bundle))
			o.ObserveInt64(revision, number, bundle)
			o.ObserveFloat64(age, e.Age().Seconds(), bundle)
		}
		return nil
	}, decisions, revision, age)
	if err != nil {
		otel.Handle(err)
	}
}

func (t *telemetry) end() {
	if t.registration != nil {
		_ = t.registration.Unregister() // which fails only for a provider that ended
	}
}

// decided counts a decision. It takes no lock but for the first of its kind.
func (t *telemetry) decided(e *entrypoint, d *Decision) {
	var usual *atomic.Pointer[atomic.Int64]
	switch {
	case e == nil:
	case d.Allow:
		usual = &e.allowed
	case d.Outcome == Denied && d.Rule == RuleDefault:
		usual = &e.denied
	}
	if usual != nil {
		if n := usual.Load(); n != nil {
			n.Add(1)
			return
		}
	}
	c := counted{d.Entrypoint, d.Outcome, d.Rule}
	n := (*t.series.Load())[c]
	if n == nil {
		n = t.first(c)
	}
	n.Add(1)
	if usual != nil {
		usual.Store(n)
	}
}

func (t *telemetry) first(c counted) *atomic.Int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := *t.series.Load()
	n := known[c]
	switch {
	case n != nil:
	case len(known) >= maxSeries:
		n = &t.beyond
	default:
		c.entrypoint, c.rule = strings.Clone(c.entrypoint), strings.Clone(c.rule) // not a part of a request
		n = new(atomic.Int64)
		next := maps.Clone(known)
		next[c] = n
		t.series.Store(&next)
	}
	return n
}

// silent is the telemetry of who reports nothing.
var silent *telemetry

func (t *telemetry) surprised(entrypoint string) {
	if t == silent {
		return
	}
	t.surprises.Add(context.Background(), 1, metric.WithAttributes(attribute.String(semconv.PolicyEntrypoint, short(entrypoint))))
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
