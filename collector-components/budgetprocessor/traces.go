// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/size"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/volume"
	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// traces holds spans to their budgets.
func (p *budgets) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	tenant := senderTenant(ctx)
	had := td.ResourceSpans().Len()
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		return p.ledger.spans(p.ledger.account(tenant, rs.Resource()), rs) == 0
	})
	if had > 0 && td.ResourceSpans().Len() == 0 {
		return td, processorhelper.ErrSkipProcessingData
	}
	return td, nil
}

// spans samples the spans of one resource, and returns how many are left.
func (l *ledger) spans(a *account, rs ptrace.ResourceSpans) int {
	c := a.counts.Load()
	bytes := int64(size.ResourceSpans(rs))
	c.in[signalTraces].Add(bytes)

	var d volume.Demand
	all := 0
	for _, ss := range rs.ScopeSpans().All() {
		all += ss.Spans().Len()
		for _, s := range ss.Spans().All() {
			d.Add(1, came(s))
		}
	}
	p, byTenant := l.ratio(a, spans, &d)
	left := all
	if p < 1 {
		left = sample(rs, tracestate.Threshold(p))
		c.dropped(signalTraces, all-left, byTenant)
		if again := l.again(a, spans, d.Kept(p), float64(left)); again < 1 {
			passed := left
			left = sampleAgain(rs, again)
			c.items[signalTraces][droppedSkewed].Add(int64(passed - left))
		}
		bytes = 0
		if left > 0 {
			bytes = int64(size.ResourceSpans(rs))
		}
	}
	l.spend(a, spans, float64(left), float64(all-left), byTenant)
	c.items[signalTraces][kept].Add(int64(left))
	c.out[signalTraces].Add(bytes)
	return left
}

// came returns the ratio at which a span was sampled before it came.
func came(s ptrace.Span) float64 {
	if ts := s.TraceState().AsRaw(); ts != "" {
		return tracestate.Decide(ts, s.TraceID(), 0).Probability
	}
	return 1
}

// sample keeps the spans whose traces' randomness reaches a threshold, and writes it
// on them. What came with a stricter one stays as it is.
func sample(rs ptrace.ResourceSpans, threshold uint64) (left int) {
	// Spans of one trace, and those without a tracestate, become the same.
	before, after := "", tracestate.WithThreshold("", threshold)
	rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
		ss.Spans().RemoveIf(func(s ptrace.Span) bool {
			state := s.TraceState()
			d := tracestate.Decide(state.AsRaw(), s.TraceID(), threshold)
			if d.Changed {
				if ts := state.AsRaw(); ts != before {
					before, after = ts, tracestate.WithThreshold(ts, threshold)
				}
				state.FromRaw(after)
			}
			return !d.Keep
		})
		left += ss.Spans().Len()
		return ss.Spans().Len() == 0
	})
	return left
}

// sampleAgain keeps traces of those that are left at a ratio, by a hash that no sender
// knows. Their thresholds stay: they say for how many those stand that are left of what
// came, of which the first cut kept more than the threshold says.
func sampleAgain(rs ptrace.ResourceSpans, ratio float64) (left int) {
	rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
		ss.Spans().RemoveIf(func(s ptrace.Span) bool { return !volume.Chosen(s.TraceID(), ratio) })
		left += ss.Spans().Len()
		return ss.Spans().Len() == 0
	})
	return left
}
