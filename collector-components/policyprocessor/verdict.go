// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy/compile"
)

// verdict returns what happens to an item. What is native is evaluated in its place;
// the rest is what was judged of an item that is the same to the rules, or the item's
// own judgement.
func (p *place) verdict(it item) verdict {
	if !p.book.native {
		return p.remembered(it, p.judge)
	}
	v, err := p.decide(it)
	switch {
	case err != nil: // OPA knows, or says what is wrong
		return p.judge(it)
	case v.drop != "" || !p.book.redact:
		return v
	}
	r := p.remembered(it, p.redactions)
	r.keep, r.matched = v.keep, v.matched
	return r
}

// remembered returns a verdict from the memo, or a fresh one. A failure is not kept.
func (p *place) remembered(it item, fresh func(item) verdict) verdict {
	memo := p.book.memo
	if memo == nil {
		return fresh(it)
	}
	p.scratch = memo.key(append(p.scratch[:0], p.key...), it)
	v, found, worth := memo.find(p.scratch)
	if found {
		return v
	}
	v = fresh(it)
	if worth && len(v.failed) == 0 {
		memo.put(p.scratch, v)
	}
	return v
}

// decide is drop and keep by native evaluation, as the rulebook's judge has them. The
// rules that matched are named until the next item is decided.
func (p *place) decide(it item) (v verdict, err error) {
	if !p.book.drop {
		return v, nil
	}
	document := p.view.show(it)
	p.matched, err = p.drop.names(document, p.matched[:0])
	if drops := len(p.matched); err == nil && drops > 0 {
		v.drop, v.reason = p.matched[0], reasonRule
		if p.book.keep {
			if p.matched, err = p.keep.names(document, p.matched); len(p.matched) > drops {
				v = verdict{keep: p.matched[drops]}
			}
		}
	}
	v.matched = p.matched
	return v, err
}

// redactions is the part of a verdict that is about redaction alone.
func (p *place) redactions(it item) (v verdict) {
	if value, err := p.redact.value(p.view.show(it)); err == nil {
		if value != nil {
			p.book.redactBy(value, &v)
		}
		return v
	}
	p.book.redactions(p.ctx, p.forOPA(it), &v)
	return v
}

// judge is the verdict by OPA.
func (p *place) judge(it item) verdict { return p.book.judge(p.ctx, p.forOPA(it)) }

func (p *place) forOPA(it item) ast.Value {
	if p.input == nil {
		p.input = &placeInput{resourceValue(p.of), scopeValue(p.scope)}
	}
	return newInput(p.telemetry.signal, p.input.resource, p.input.scope, it.document())
}

// evaluation is the native evaluation of one rule for one item after another.
type evaluation struct {
	program *compile.Program // nil: OPA evaluates
	result  compile.Result
	open    bool
}

// errOPA leaves an item to OPA.
var errOPA = errors.New("left to OPA")

// ask returns the rule's value for a document, which is the same one each time and
// shows another item. The value holds until the next is asked for.
func (e *evaluation) ask(document compile.Value) (v compile.Value, err error) {
	switch {
	case e.program == nil:
		return v, errOPA
	case e.open:
		return e.result.Again(0)
	}
	if e.result, err = e.program.Begin(document); err != nil {
		return v, err
	}
	e.open = true
	return e.result.Value(0)
}

// names appends the names of a set, in order.
func (e *evaluation) names(document compile.Value, to []string) ([]string, error) {
	v, err := e.ask(document)
	if err != nil || v.IsEmptySet() {
		return to, err
	}
	members, ok := v.Items()
	if !ok {
		return to, errOPA // which says what it is instead
	}
	for _, m := range members {
		name, ok := m.Text()
		if !ok {
			return to, errOPA
		}
		to = append(to, name)
	}
	return to, nil
}

// value returns the rule's value as OPA's results have it; nil for undefined.
func (e *evaluation) value(document compile.Value) (any, error) {
	v, err := e.ask(document)
	if err != nil {
		return nil, err
	}
	return v.Interface()
}

func (e *evaluation) close() {
	if e.open {
		e.result.Close()
		e.open = false
	}
}
