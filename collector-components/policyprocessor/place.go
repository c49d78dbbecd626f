// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"
)

// place is where in a batch the items stand: one resource, one of its scopes, and the
// rules that were asked for so far. Rules see resource and scope as they came: what is
// to be done to these is done once, when their items are done.
type place struct {
	*enforcer
	ctx  context.Context // of the batch, for whose length a place lives
	book *rulebook

	span   spanItem // the item at hand is one of these
	record logItem
	metric metricItem
	at     item // which it is

	view        *view // of it
	screening   screening
	evaluations []evaluation // by question
	keys        [][]byte     // by question: what its answer can depend on here
	scratch     []byte
	room        []*rule

	of        pcommon.Resource
	scope     pcommon.InstrumentationScope
	placeForm *placeForm // of the two for OPA, made when it needs it first
	ahead     ahead      // what OPA was asked before the first item

	found  [kinds][]*rule // rules for the item at hand
	failed [kinds]*question

	redactions          redactions
	ofResource, ofScope []*rule
	report              report
}

// placeForm is what rules see of a place by OPA's values.
type placeForm struct{ resource, scope ast.Value }

func (e *enforcer) within(ctx context.Context, book *rulebook) *place {
	p := &place{
		enforcer: e, ctx: ctx, book: book, view: newView(e.telemetry.signal),
		evaluations: make([]evaluation, len(book.list)), keys: make([][]byte, len(book.list)),
	}
	p.screening = newScreening(&book.screens, p.view)
	p.ahead = newAhead(book)
	for i, q := range book.list {
		p.evaluations[i].program = q.program
	}
	return p
}

func (p *place) enter(r pcommon.Resource, s pcommon.InstrumentationScope) {
	p.ofScope, p.redactions.noted = p.ofScope[:0], false
	p.of, p.scope, p.placeForm = r, s, nil
	p.view.enter(r, s)
	p.screening.enter()
	for i, q := range p.book.list {
		if q.memo != nil {
			p.keys[i] = q.memo.place(p.keys[i][:0], r, s)
		}
	}
	for _, r := range p.ahead.asked {
		r.entered = false
	}
}

// withSchema is the list that a resource or scope stands at the head of.
type withSchema interface {
	SchemaUrl() string
	SetSchemaUrl(string)
}

// leave does to a scope what its items' rules asked for.
func (p *place) leave(s pcommon.InstrumentationScope, list withSchema) {
	for _, r := range p.ofScope {
		n := 0
		switch r.kind {
		case redaction:
			n = alone(func(counts []int) { r.redact.Scope(s, counts); r.redact.Schema(list, counts) })
		case assign:
			n = r.assign.Scope(s)
		}
		p.did(n, r)
	}
}

// end does the same to a resource.
func (p *place) end(r pcommon.Resource, list withSchema) {
	if p.book.routes {
		removeAll(r.Attributes(), semconv.TelemetryRoute)
	}
	for _, rule := range p.ofResource {
		n := 0
		switch rule.kind {
		case redaction:
			n = alone(func(counts []int) { rule.redact.Resource(r, counts); rule.redact.Schema(list, counts) })
		case assign:
			n = rule.assign.Resource(r)
		}
		p.did(n, rule)
	}
	p.ofResource = p.ofResource[:0]
}

// alone counts what one rule changes.
func alone(f func(counts []int)) int {
	var counts [1]int
	f(counts[:])
	return counts[0]
}

func (p *place) did(n int, r *rule) {
	if n > 0 {
		p.report.act(r.kind, r.name, reasonOf(r))
	}
}

// done ends the batch.
func (p *place) done() {
	for i := range p.evaluations {
		p.evaluations[i].close()
	}
	p.telemetry.tell(p.ctx, &p.report)
	for f, t := range p.report.failures {
		p.log.Warn("telemetry policy failed for items of a batch", zap.String("rule", p.telemetry.name(f.rule)), zap.Int64("items", t.n), zap.String("cause", cause(t.err)))
	}
	p.events.tell(p.ctx, &p.report, p.telemetry)
}

// item applies the rules to one item and says whether it is to be removed.
func (p *place) item(it item) (remove bool) {
	if p.ctx.Err() != nil {
		return true // the batch ends with the context's error
	}
	if len(p.ahead.asked) == 0 {
		p.clean(it)
	}
	p.show(it)
	if p.book.quick && p.screening.missesAll(p.book.asked) {
		return false
	}
	some := p.ask(observe)
	if p.ask(drop) {
		some = true
		p.ask(keep) // which has nothing to say to what nobody drops
		if p.drops() {
			return true
		}
	}
	for _, k := range p.book.changing {
		some = p.ask(k) || some
	}
	return some && p.apply(it)
}

// clean removes from an item what is the policy's word and not the sender's.
func (p *place) clean(it item) {
	if p.book.routes {
		removeAll(it.notes(), semconv.TelemetryRoute)
	}
	if p.book.dry {
		removeAll(it.notes(), semconv.PolicyDryRun)
	}
}

// removeAll removes a key, as often as it is there.
func removeAll(m pcommon.Map, key string) {
	m.RemoveIf(func(k string, _ pcommon.Value) bool { return k == key })
}

// show puts an item before the rules.
func (p *place) show(it item) {
	p.report.seen++
	p.at, p.screening.read = it, 0
	p.view.show(it)
}

// ask collects what the questions of a kind have to say to the item, and reports whether
// that is anything.
func (p *place) ask(k kind) bool {
	if p.found[k] = p.found[k][:0]; p.failed[k] != nil {
		p.failed[k] = nil
	}
	for _, q := range p.book.questions[k] {
		a := p.answer(q)
		if a.err != nil {
			if !q.dry() {
				p.failed[k] = q
			}
			p.report.fail(q.failing(), reasonEvaluation, a.err)
		}
		for _, r := range a.rules {
			p.report.match(r)
			if r.unclear != nil {
				p.report.fail(r.name, reasonRuleFailed, r.unclear)
			}
			p.found[k] = append(p.found[k], r)
		}
	}
	return len(p.found[k]) > 0 || p.failed[k] != nil
}

// drops says whether the item is dropped: by a rule of drop that acts, and when none of
// keep does. A keep that fails keeps.
func (p *place) drops() bool {
	by := acting(p.found[drop])
	if by == nil {
		return false
	}
	if q := p.failed[keep]; q != nil {
		p.report.act(keep, q.failing(), reasonEvaluation)
		return false
	}
	if kept := acting(p.found[keep]); kept != nil {
		p.report.act(keep, kept.name, reasonRule)
		return false
	}
	p.report.act(drop, by.name, reasonRule)
	return true
}

// acting returns the first rule that is no dry run.
func acting(list []*rule) *rule {
	i := slices.IndexFunc(list, func(r *rule) bool { return !r.dryRun })
	if i < 0 {
		return nil
	}
	return list[i]
}

// forOPA is the input of a question by OPA's values: of the item what its answer can
// depend on.
func (p *place) forOPA(q *question) ast.Value {
	return newInput(p.telemetry.signal, p.form().resource, p.form().scope, documentOf(p.at, q.fields))
}

func (p *place) form() *placeForm {
	if p.placeForm == nil {
		p.placeForm = &placeForm{resourceValue(p.of), scopeValue(p.scope)}
	}
	return p.placeForm
}
