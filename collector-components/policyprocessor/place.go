// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"
)

// place is where in a batch the items stand: one resource, one of its scopes, and
// the rules that were asked for so far. Resource and scope are redacted once, when
// their items are done, so that a hash is not hashed again for each item, and rules
// see them as they came.
type place struct {
	*enforcer
	ctx  context.Context // of the batch, for whose length a place lives
	book *rulebook

	span   spanItem // the item at hand is one of these
	record logItem
	metric metricItem

	view               *view // of it
	drop, keep, redact evaluation
	key                []byte // of what rules can depend on here
	scratch            []byte // an item's key
	of                 pcommon.Resource
	scope              pcommon.InstrumentationScope
	input              *placeInput // made when OPA needs it first
	ofResource         []asked
	ofScope            []asked

	matched []string // rules for the item at hand
	seen    int64    // items of the batch
	matches map[string]int64
	counts  map[tally]int64
}

// placeInput is what rules see of a place by OPA's values.
type placeInput struct{ resource, scope ast.Value }

// asked is a rule that an item asked for.
type asked struct {
	rule   *redact.Rule
	reason string
}

// tally is what items of a batch are counted by.
type tally struct{ action, rule, reason string }

func (e *enforcer) within(ctx context.Context, book *rulebook) *place {
	return &place{
		enforcer: e, ctx: ctx, book: book, view: newView(e.telemetry.signal), counts: make(map[tally]int64), matches: make(map[string]int64),
		drop: evaluation{program: book.dropProgram}, keep: evaluation{program: book.keepProgram},
		redact: evaluation{program: book.redactProgram},
	}
}

func (p *place) enter(r pcommon.Resource, s pcommon.InstrumentationScope) {
	p.ofScope = p.ofScope[:0]
	p.of, p.scope, p.input = r, s, nil
	p.view.enter(r, s)
	if p.book.memo != nil {
		p.key = p.book.memo.place(p.key[:0], r, s)
	}
}

func (p *place) leave(s pcommon.InstrumentationScope) {
	for _, a := range p.ofScope {
		if a.rule.Scope(s) > 0 {
			p.count(actionRedacted, a.rule.Name(), a.reason)
		}
	}
}

func (p *place) end(r pcommon.Resource) {
	for _, a := range p.ofResource {
		if a.rule.Resource(r) > 0 {
			p.count(actionRedacted, a.rule.Name(), a.reason)
		}
	}
	p.ofResource = p.ofResource[:0]
}

// done ends the batch.
func (p *place) done() {
	p.drop.close()
	p.keep.close()
	p.redact.close()
	p.telemetry.judged(p.ctx, p.seen, p.matches)
	for t, n := range p.counts {
		p.telemetry.items(p.ctx, n, t)
	}
}

func (p *place) count(action, rule, reason string) { p.counts[tally{action, rule, reason}]++ }

// item applies the rules to one item and says whether it is to be removed.
func (p *place) item(it item) (remove bool) {
	if p.ctx.Err() != nil {
		return true // the batch ends with the context's error
	}
	p.seen++
	if p.nothing(it) {
		return false
	}
	v := p.verdict(it)
	for _, rule := range v.matched {
		p.matches[rule]++
	}
	for _, f := range v.failed {
		p.telemetry.failed(p.ctx, f.rule, f.reason)
		p.log.Warn("telemetry policy failed for an item", zap.String("rule", p.telemetry.name(f.rule)), zap.String("cause", cause(f.err)))
	}
	if v.drop != "" {
		p.count(actionDropped, v.drop, v.reason)
		return true
	}
	if v.keep != "" {
		reason := reasonRule
		if v.keep == ruleKeep {
			reason = reasonEvaluation
		}
		p.count(actionKept, v.keep, reason)
	}
	for _, rule := range v.redact {
		a := asked{rule: rule, reason: reasonRule}
		if v.unclear[rule] {
			a.reason = reasonRuleFailed
		}
		if it.redact(rule) > 0 {
			p.count(actionRedacted, rule.Name(), a.reason)
		}
		p.ofResource, p.ofScope = note(p.ofResource, a), note(p.ofScope, a)
	}
	return false
}

// nothing says that no rule has anything to say to an item, which is so for most.
func (p *place) nothing(it item) bool {
	if !p.book.native || p.book.redact {
		return false
	}
	v, err := p.decide(it)
	return err == nil && v.drop == "" && v.keep == ""
}

func note(list []asked, a asked) []asked {
	if slices.ContainsFunc(list, func(o asked) bool { return o.rule == a.rule }) {
		return list
	}
	return append(list, a)
}
