// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/compile"
)

// evaluator is what enforcing needs of a policy snapshot.
type evaluator interface {
	Eval(ctx context.Context, path string, input any) (value any, defined bool, err error)
	Has(path string) bool
	Below(path string) (keys []string, ok bool)
	Inputs(path string) [][]string
	Program(path string) *compile.Program
	Batch(ctx context.Context, path string) (*policy.Batch, error)
}

// question is one rule of a revision, or all of a kind, as it is asked of items: by a
// look at a path or two that tells of most that it has nothing to say, then natively,
// and by OPA where that cannot be: of many items at once where its rule can be rewritten for
// that, else of each.
type question struct {
	kind  kind
	n     int    // its place among all of the revision
	name  string // of the one rule; "" for all of the kind
	path  string
	rules *ruleTable

	policy  evaluator
	program *compile.Program // nil: OPA answers, and the memo keeps what it said
	screen  *screen          // nil: it is asked of every item
	rows    *policy.Batch    // nil: OPA is asked of each item
	alone   error            // why
	resting atomic.Int64     // for how many more items it is not asked in rows
	late    atomic.Int64     // evaluations of rows that ran out of time, since one did not
	memo    *memo
	fields  []string // of the item, that OPA's answer can depend on; nil for all
	same    bool     // for every item, unless it fails
	fixed   *answer  // the answer then
	last    atomic.Pointer[said]
}

// answer is what a question comes to for an item.
type answer struct {
	rules []*rule // in order of their names
	err   error
}

// said is the answer to an object that the policy has as a constant.
type said struct {
	value  compile.Value
	answer answer
}

var silence answer

// maxNamed is up to how many rules of a kind are asked each by itself. Each is a program
// and a path of the snapshot, of which there is a bound.
const maxNamed = 2048

// questions are those of one kind, in order of their names: one for each rule that has
// its name in the policy's text, so that each has its own index, failures and figures;
// else one for the object as a whole.
func questions(p evaluator, k kind, rules *ruleTable) []*question {
	if !p.Has(k.path()) {
		return nil
	}
	if k > observe && k != route {
		if keys, ok := p.Below(k.path()); ok && len(keys) <= maxNamed {
			list := make([]*question, len(keys))
			for i, key := range keys {
				list[i] = newQuestion(p, k, key, policy.Path("otelplat", "telemetry", names[k], key), rules)
			}
			return list
		}
	}
	return []*question{newQuestion(p, k, "", k.path(), rules)}
}

func newQuestion(p evaluator, k kind, name, path string, rules *ruleTable) *question {
	parts := p.Inputs(path)
	q := &question{kind: k, name: name, path: path, rules: rules, policy: p, program: p.Program(path), same: len(parts) == 0}
	if q.same {
		if a := q.byOPA(context.Background(), nil); a.err == nil {
			q.fixed = &a
		}
	}
	if q.program != nil {
		q.screen = newScreen(q.program.Screen(0))
	} else {
		q.memo = newMemo(parts)
		q.fields = fieldsOf(parts)
		q.rows, q.alone = p.Batch(context.Background(), path)
	}
	return q
}

// fieldsOf returns the fields of the item among parts of the input; nil when all of it
// is.
func fieldsOf(parts [][]string) []string {
	fields := []string{}
	for _, p := range parts {
		switch {
		case len(p) == 0 || len(p) == 1 && p[0] == "item":
			return nil
		case p[0] == "item" && !slices.Contains(fields, p[1]):
			fields = append(fields, p[1])
		}
	}
	return fields
}

// failing is the name under which a failure of the question is counted.
func (q *question) failing() string {
	if q.name == "" {
		return q.kind.whole()
	}
	return q.name
}

// byOPA asks OPA.
func (q *question) byOPA(ctx context.Context, input ast.Value) answer {
	var in any
	if input != nil {
		in = input
	}
	value, defined, err := q.policy.Eval(ctx, q.path, in)
	if err != nil {
		return answer{err: err}
	}
	return q.heard(value, defined)
}

// heard makes an answer of OPA's.
func (q *question) heard(value any, defined bool) answer {
	if !defined {
		return silence
	}
	return q.read(compile.Of(value), nil)
}

// read makes an answer of what the policy says, in room that may be given.
func (q *question) read(v compile.Value, room []*rule) answer {
	if !v.IsDefined() {
		return silence
	}
	switch {
	case q.kind.hasNames():
		return q.readNames(v, room)
	case q.kind == route:
		name, ok := v.Text()
		if !ok || name == "" {
			return answer{err: fmt.Errorf("%s is not the name of a route", q.path)}
		}
		return answer{rules: append(room, q.rules.byName(route, name))}
	}
	if last := q.last.Load(); last != nil && last.value.Same(v) {
		return last.answer
	}
	a := q.readObject(v)
	switch {
	case v.IsConstant():
		q.last.Store(&said{v, a})
	case a.err != nil && !q.same:
		a.err = fmt.Errorf("%w of %s", errComputed, q.path) // its words may be the item's
	}
	return a
}

// errComputed stands for what is wrong with a rule that was made of an item.
var errComputed = errors.New("a rule that was computed is not one")

// dry reports whether the question is of rules that do not act, whatever they come to.
func (q *question) dry() bool {
	if q.name == "" {
		return q.rules.dry["*"]
	}
	return q.rules.isDry(q.name)
}

func (q *question) readNames(v compile.Value, room []*rule) answer {
	if v.IsEmptySet() {
		return silence
	}
	members, ok := v.Items()
	if !ok {
		return answer{err: fmt.Errorf("%s is not a set of names", q.path)}
	}
	for _, m := range members {
		name, ok := m.Text()
		if !ok || name == "" {
			return answer{err: fmt.Errorf("%s holds what is no name", q.path)}
		}
		room = append(room, q.rules.byName(q.kind, name))
	}
	return answer{rules: room}
}

func (q *question) readObject(v compile.Value) (a answer) {
	if q.name != "" {
		r, err := q.rules.read(q.kind, q.name, v)
		if err != nil {
			return answer{err: err}
		}
		return answer{rules: []*rule{r}}
	}
	keys, values, ok := v.Pairs()
	if !ok {
		return answer{err: fmt.Errorf("%s is not an object of rules", q.path)}
	}
	for i, key := range keys {
		name, ok := key.Text()
		if !ok || name == "" {
			return answer{err: fmt.Errorf("%s has a rule whose key is no name", q.path)}
		}
		r, err := q.rules.read(q.kind, name, values[i])
		if err != nil {
			return answer{err: err}
		}
		a.rules = append(a.rules, r)
	}
	return a
}
