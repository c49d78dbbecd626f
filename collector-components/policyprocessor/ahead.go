// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy"
)

const (
	// maxRows is how many items are asked about in one evaluation of OPA's. Beginning
	// one takes about ten microseconds; an error of one item is one of all of them, which
	// are then asked one by one.
	maxRows = 256

	// slow is for how many items nothing is asked in rows after two evaluations, one after
	// the other, ran out of time: where an item takes OPA that long, it is not the beginning
	// that does. One alone may be the machine's.
	slow = 10_000
)

// ahead is what OPA answers beforehand to the items of a batch, before any of them is
// changed: those that the memo has no answer for, many in one evaluation.
type ahead struct {
	asked []*inRows
	of    []*inRows // the same by question, nil for one that is asked of each item
	items int       // that were looked at
}

// inRows is one question with the rows that are collected for it.
type inRows struct {
	q       *question
	place   []ast.Value // by column: of what is the same for all items of a place
	entered bool        // a place whose values these are
	columns [][]ast.Value
	rows    []row

	known []bool         // by item
	said  map[int]answer // that is not silence, by item
}

// row is an item with the key of its answer, "" where that is not kept.
type row struct {
	item int
	key  string
}

// newAhead collects for the questions that can be asked in rows, but for those of keep, which
// have something to say only to what is dropped.
func newAhead(book *rulebook) (a ahead) {
	for _, q := range book.asked {
		if q.rows == nil || q.kind == keep {
			continue
		}
		n := len(q.rows.Columns())
		r := &inRows{q: q, place: make([]ast.Value, n), columns: make([][]ast.Value, n), said: make(map[int]answer)}
		if a.of == nil {
			a.of = make([]*inRows, len(book.list))
		}
		a.asked, a.of[q.n] = append(a.asked, r), r
	}
	return a
}

// foretell looks at all items, which each calls a function with, and asks what it can.
func (p *place) foretell(each func(func(item))) {
	if len(p.ahead.asked) == 0 {
		return
	}
	each(p.look)
	for _, r := range p.ahead.asked {
		r.ask(p.ctx)
	}
}

// look collects one item.
func (p *place) look(it item) {
	if p.ctx.Err() != nil {
		return
	}
	if !p.observing {
		p.clean(it)
	}
	p.at = it
	for _, r := range p.ahead.asked {
		if !r.q.rests() {
			p.collect(r)
		}
	}
	p.ahead.items++
}

// collect finds the answer to the item at hand, or makes it a row.
func (p *place) collect(r *inRows) {
	keep := ""
	if m := r.q.memo; m != nil {
		p.scratch = m.key(append(p.scratch[:0], p.keys[r.q.n]...), p.at)
		a, found, worth := m.find(p.scratch)
		if found {
			r.tell(p.ahead.items, a)
			return
		}
		if worth {
			keep = string(p.scratch)
		}
	}
	for c, path := range r.q.rows.Columns() {
		switch {
		case path[0] == "item":
			r.columns[c] = append(r.columns[c], p.cell(path))
			continue
		case !r.entered:
			r.place[c] = p.cell(path)
		}
		r.columns[c] = append(r.columns[c], r.place[c])
	}
	r.entered = true
	if r.rows = append(r.rows, row{p.ahead.items, keep}); len(r.rows) == maxRows {
		r.ask(p.ctx)
	}
}

// ask evaluates the rows that were collected. What has no answer after it is asked when its
// turn comes, by itself.
func (r *inRows) ask(ctx context.Context) {
	if len(r.rows) == 0 {
		return
	}
	answers, err := r.q.rows.Eval(ctx, r.columns, len(r.rows))
	switch {
	case !errors.Is(err, policy.ErrTimeout):
		r.q.late.Store(0)
	case r.q.late.Add(1) > 1:
		r.q.resting.Store(slow)
	}
	for i, a := range answers {
		if a.Apart {
			continue
		}
		told := r.q.heard(a.Value, a.Defined)
		r.tell(r.rows[i].item, told)
		if r.rows[i].key != "" && told.err == nil {
			r.q.memo.put(r.rows[i].key, told)
		}
	}
	r.rows = r.rows[:0]
	for c := range r.columns {
		r.columns[c] = r.columns[c][:0]
	}
}

func (r *inRows) tell(item int, a answer) {
	if more := item + 1 - len(r.known); more > 0 {
		r.known = append(r.known, make([]bool, more)...)
	}
	r.known[item] = true
	if a.err != nil || len(a.rules) > 0 {
		r.said[item] = a
	}
}

// foretold returns what OPA answered beforehand to the item at hand.
func (p *place) foretold(q *question) (a answer, ok bool) {
	if p.ahead.of == nil || p.ahead.of[q.n] == nil {
		return a, false
	}
	r, n := p.ahead.of[q.n], int(p.report.seen)-1
	if n >= len(r.known) || !r.known[n] {
		return a, false
	}
	return r.said[n], true
}

// rests reports whether the question is not to be asked in rows for now.
func (q *question) rests() bool { return q.resting.Load() > 0 && q.resting.Add(-1) >= 0 }

// cell returns what rules see at a path of the item at hand, nil where that is nothing.
func (p *place) cell(path []string) ast.Value {
	var at any
	rest := path[1:]
	switch path[0] {
	case "signal":
		at = p.telemetry.signal
	case "resource":
		at = p.form().resource
	case "scope":
		at = p.form().scope
	case "item":
		switch {
		case len(path) == 1:
			at = documentOf(p.at, nil)
		case len(path) > 2 && path[1] == "attributes":
			v, ok := p.at.attributes().Get(path[2])
			if !ok {
				return nil
			}
			at, rest = plain(v), path[3:]
		case has(p.at, path[1]):
			at, rest = p.at.value(path[1]), path[2:]
		default:
			return nil
		}
	default:
		return nil
	}
	v := valueOf(at)
	for _, key := range rest {
		object, ok := v.(ast.Object)
		if !ok {
			return nil
		}
		t := object.Get(ast.StringTerm(key))
		if t == nil {
			return nil
		}
		v = t.Value
	}
	return v
}
