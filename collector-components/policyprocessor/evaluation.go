// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"github.com/otelplat/platform/policy/compile"
)

// answer returns what a question comes to for the item at hand.
func (p *place) answer(q *question) answer {
	switch {
	case q.fixed != nil:
		return *q.fixed
	case q.screen != nil && p.screening.misses(q.screen):
		return silence
	case q.program == nil:
		if a, ok := p.foretold(q); ok {
			return a
		}
		return p.remembered(q)
	}
	v, err := p.evaluations[q.n].ask(p.view.document.Value())
	if err != nil { // OPA knows, or says what is wrong
		return q.byOPA(p.ctx, p.forOPA(q))
	}
	a := q.read(v, p.room[:0])
	if a.rules != nil && q.kind.hasNames() {
		p.room = a.rules
	}
	return a
}

// remembered returns OPA's answer from the memo, or a fresh one. A failure is not kept.
func (p *place) remembered(q *question) answer {
	if q.memo == nil {
		return q.byOPA(p.ctx, p.forOPA(q))
	}
	p.scratch = q.memo.key(append(p.scratch[:0], p.keys[q.n]...), p.at)
	a, found, worth := q.memo.find(p.scratch)
	if found {
		return a
	}
	a = q.byOPA(p.ctx, p.forOPA(q))
	if worth && a.err == nil {
		q.memo.put(string(p.scratch), a)
	}
	return a
}

// evaluation is the native evaluation of one question for one item after another.
type evaluation struct {
	program *compile.Program
	result  compile.Result
	open    bool
}

// ask returns the rule's value for a document, which is the same one each time and
// shows another item. The value holds until the next is asked for.
func (e *evaluation) ask(document compile.Value) (v compile.Value, err error) {
	if e.open {
		return e.result.Again(0)
	}
	if e.result, err = e.program.Begin(document); err != nil {
		return v, err
	}
	e.open = true
	return e.result.Value(0)
}

func (e *evaluation) close() {
	if e.open {
		e.result.Close()
		e.open = false
	}
}
