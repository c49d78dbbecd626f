// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.uber.org/zap"
)

// enforcer applies package otelplat.telemetry to every item.
type enforcer struct {
	gate      *gate
	telemetry *telemetry
	log       *zap.Logger
	hashKey   []byte
	book      atomic.Pointer[rulebook] // of the newest snapshot that was seen
}

// rules returns the book of the current snapshot; nil when nothing is loaded and
// that is allowed.
func (e *enforcer) rules(ctx context.Context) (*rulebook, error) {
	_, snapshot, err := e.gate.open(ctx)
	if err != nil || snapshot == nil {
		return nil, err
	}
	if book := e.book.Load(); book != nil && book.policy == evaluator(snapshot) {
		return book, nil
	}
	// Two batches may build the same book at once: both are right, one stays.
	book := newRulebook(snapshot, e.hashKey)
	e.book.Store(book)
	return book, nil
}

func (e *enforcer) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	book, err := e.rules(ctx)
	if err != nil || book == nil || book.idle() {
		return td, err
	}
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		in := e.within(ctx, book)
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			in.enter(rs.Resource(), ss.Scope())
			ss.Spans().RemoveIf(func(s ptrace.Span) bool {
				return in.item(spanItem{s})
			})
			in.leave(ss.Scope())
			return ss.Spans().Len() == 0
		})
		in.end(rs.Resource())
		return rs.ScopeSpans().Len() == 0
	})
	return td, outcome(ctx, td.ResourceSpans().Len())
}

func (e *enforcer) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	book, err := e.rules(ctx)
	if err != nil || book == nil || book.idle() {
		return ld, err
	}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		in := e.within(ctx, book)
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			in.enter(rl.Resource(), sl.Scope())
			sl.LogRecords().RemoveIf(func(r plog.LogRecord) bool {
				return in.item(logItem{r})
			})
			in.leave(sl.Scope())
			return sl.LogRecords().Len() == 0
		})
		in.end(rl.Resource())
		return rl.ScopeLogs().Len() == 0
	})
	return ld, outcome(ctx, ld.ResourceLogs().Len())
}

func (e *enforcer) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	book, err := e.rules(ctx)
	if err != nil || book == nil || book.idle() {
		return md, err
	}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		in := e.within(ctx, book)
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			in.enter(rm.Resource(), sm.Scope())
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				return in.item(metricItem{m})
			})
			in.leave(sm.Scope())
			return sm.Metrics().Len() == 0
		})
		in.end(rm.Resource())
		return rm.ScopeMetrics().Len() == 0
	})
	return md, outcome(ctx, md.ResourceMetrics().Len())
}

// outcome is how a batch ends of which that many resources are left. An ended
// context goes before: its items are not dropped, the sender has to try again.
func outcome(ctx context.Context, left int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if left == 0 {
		return processorhelper.ErrSkipProcessingData
	}
	return nil
}

// place is where in a batch the items stand: one resource, one of its scopes, and
// the rules that were asked for so far. Resource and scope are redacted once, when
// their items are done, so that a hash is not hashed again for each item, and rules
// see them as they came.
type place struct {
	*enforcer
	ctx        context.Context // of the batch, for whose length a place lives
	book       *rulebook
	key        []byte            // of what rules can depend on here
	scratch    []byte            // an item\'s key
	input      func() placeInput // made when the first item needs it
	ofResource []asked
	ofScope    []asked
}

// placeInput is what rules see of a place.
type placeInput struct{ resource, scope ast.Value }

// asked is a rule that an item asked for.
type asked struct {
	rule   *redact.Rule
	reason string
}

func (e *enforcer) within(ctx context.Context, book *rulebook) *place {
	return &place{enforcer: e, ctx: ctx, book: book}
}

func (p *place) enter(r pcommon.Resource, s pcommon.InstrumentationScope) {
	p.ofScope = nil
	p.input = sync.OnceValue(func() placeInput { return placeInput{resourceValue(r), scopeValue(s)} })
	if p.book.memo != nil {
		p.key = p.book.memo.place(r, s)
	}
}

func (p *place) leave(s pcommon.InstrumentationScope) {
	for _, a := range p.ofScope {
		if a.rule.Scope(s) > 0 {
			p.telemetry.item(p.ctx, actionRedacted, a.rule.Name(), a.reason)
		}
	}
}

func (p *place) end(r pcommon.Resource) {
	for _, a := range p.ofResource {
		if a.rule.Resource(r) > 0 {
			p.telemetry.item(p.ctx, actionRedacted, a.rule.Name(), a.reason)
		}
	}
}

// verdict returns what happens to an item: what was judged of one that is the same
// to all rules, or its own judgement. A failure is not kept.
func (p *place) verdict(it item) verdict {
	memo := p.book.memo
	if memo == nil {
		return p.judge(it)
	}
	p.scratch = memo.key(append(p.scratch[:0], p.key...), it)
	v, found, worth := memo.find(p.scratch)
	if found {
		return v
	}
	v = p.judge(it)
	if worth && len(v.failed) == 0 {
		memo.put(p.scratch, v)
	}
	return v
}

func (p *place) judge(it item) verdict {
	here := p.input()
	return p.book.judge(p.ctx, newInput(p.telemetry.signal, here.resource, here.scope, it.document()))
}

// item applies the rules to one item and says whether it is to be removed.
func (p *place) item(it item) (remove bool) {
	if p.ctx.Err() != nil {
		return true // the batch ends with the context's error
	}
	v := p.verdict(it)
	for _, f := range v.failed {
		p.telemetry.failed(p.ctx, f.rule, f.reason)
		p.log.Warn("telemetry policy failed for an item", zap.String("rule", p.telemetry.name(f.rule)), zap.String("cause", cause(f.err)))
	}
	if v.drop != "" {
		p.telemetry.item(p.ctx, actionDropped, v.drop, v.reason)
		return true
	}
	if v.keep != "" {
		reason := reasonRule
		if v.keep == ruleKeep {
			reason = reasonEvaluation
		}
		p.telemetry.item(p.ctx, actionKept, v.keep, reason)
	}
	for _, rule := range v.redact {
		a := asked{rule: rule, reason: reasonRule}
		if v.unclear[rule] {
			a.reason = reasonRuleFailed
		}
		if it.redact(rule) > 0 {
			p.telemetry.item(p.ctx, actionRedacted, rule.Name(), a.reason)
		}
		p.ofResource, p.ofScope = note(p.ofResource, a), note(p.ofScope, a)
	}
	return false
}

func note(list []asked, a asked) []asked {
	if slices.ContainsFunc(list, func(o asked) bool { return o.rule == a.rule }) {
		return list
	}
	return append(list, a)
}
