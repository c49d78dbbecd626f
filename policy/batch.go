// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/otelplat/platform/policy/compile"
	"github.com/otelplat/platform/policy/internal/batch"
)

// Batch asks OPA one rule about many inputs in one evaluation, which for what cannot be
// lowered takes a fraction of the time. It is safe for concurrent use.
type Batch struct {
	snapshot *Snapshot
	path     string
	form     batch.Form
	columns  [][]string
	query    query
}

// Answer is what a rule has to say to one row of a batch, as of [Snapshot.Eval].
type Answer struct {
	Value   any
	Defined bool
	Apart   bool // its row has no answer here: only Eval can tell
}

// Batch returns the rule at a path, rewritten to be asked of many inputs at once. A rule that
// cannot be rewritten exactly is an error that says why.
func (s *Snapshot) Batch(ctx context.Context, path string) (*Batch, error) {
	switch {
	case !askable(path):
		return nil, fmt.Errorf("policy: %q is no path", path)
	case !s.pure(path):
		return nil, &compile.UnsupportedError{Reason: "a builtin that tells the time"}
	}
	columns := s.Inputs(path)
	if len(columns) == 0 {
		return nil, &compile.UnsupportedError{Reason: "it does not read the input"}
	}
	made, err := batch.Rewrite(s.compiler, ref(path), columns, s.freeRoot())
	if err != nil {
		return nil, err
	}
	b := &Batch{snapshot: s, path: path, form: made.Form, columns: columns}
	b.query.eval, err = rego.New(
		rego.ParsedQuery(ast.NewBody(ast.NewExpr(ast.NewTerm(made.Path)))),
		rego.Compiler(made.Compiler),
		rego.Store(s.store),
		rego.Transaction(s.txn),
		rego.StrictBuiltinErrors(true),
	).PrepareForEval(context.WithoutCancel(ctx))
	if err != nil {
		return nil, fmt.Errorf("policy: %s: a batch of it: %w", path, err)
	}
	return b, nil
}

// freeRoot is a name that no package and no data of the bundle begins with.
func (s *Snapshot) freeRoot() string {
	for n := 0; ; n++ {
		name := "rows" + strconv.Itoa(n)
		if _, taken := s.data[name]; !taken && s.compiler.RuleTree.Child(ast.DefaultRootDocument.Value).Child(ast.String(name)) == nil {
			return name
		}
	}
}

// Columns are the paths of the input that a batch is made of, in their order: all that the
// rule can depend on.
func (b *Batch) Columns() [][]string { return b.columns }

// Eval answers a number of rows. A column has a value for each of them, nil where the input
// has nothing at the column's path. After an error, which may be of one row only, and for
// rows that are [Answer.Apart] each is to be asked of [Snapshot.Eval]. All rows together have
// the time of one evaluation.
func (b *Batch) Eval(ctx context.Context, columns [][]ast.Value, rows int) ([]Answer, error) {
	l := newLimit(ctx, DefaultTimeout)
	defer l.stop()
	value, _, err := b.snapshot.ask(l, b.path, &b.query, b.input(columns, rows), rego.EvalEarlyExit(false))
	if err != nil {
		return nil, err
	}
	answers := make([]Answer, rows)
	switch b.form { // a set or an object is there, if only empty
	case batch.Set:
		for i := range answers {
			answers[i] = Answer{Value: []any{}, Defined: true}
		}
	case batch.Object:
		for i := range answers {
			answers[i] = Answer{Value: map[string]any{}, Defined: true}
		}
	}
	for _, m := range value.([]any) {
		pair := m.([]any)
		row, err := strconv.Atoi(string(pair[0].(json.Number)))
		if err != nil {
			return nil, fmt.Errorf("policy: %s: row %v of a batch", b.path, pair[0])
		}
		answers[row].add(b.form, pair[1])
	}
	return answers, nil
}

// add takes in what the rule has for a row. Two values of what has one are a contradiction,
// and a key that is no text is one that only OPA can write.
func (a *Answer) add(form batch.Form, x any) {
	switch form {
	case batch.Set:
		a.Value = append(a.Value.([]any), x)
		return
	case batch.Value:
		a.Apart = a.Apart || a.Defined
		a.Value, a.Defined = x, true
		return
	}
	pair := x.([]any)
	key, ok := pair[0].(string)
	object := a.Value.(map[string]any)
	_, twice := object[key]
	object[key] = pair[1]
	a.Apart = a.Apart || !ok || twice
}

// input is the array of the columns, and one that is true for each row.
func (b *Batch) input(columns [][]ast.Value, rows int) ast.Value {
	list := make([]*ast.Term, 0, len(columns)+1)
	for _, c := range columns {
		list = append(list, column(c))
	}
	every := make([]*ast.Term, rows)
	for i := range every {
		every[i] = ast.InternedTerm(true)
	}
	return ast.NewArray(append(list, ast.ArrayTerm(every...))...)
}

// column is an array of values, or an object of those that are there.
func column(values []ast.Value) *ast.Term {
	terms := make([]ast.Term, len(values))
	list := make([]*ast.Term, len(values))
	there := 0
	for i, v := range values {
		terms[i].Value, list[i] = v, &terms[i]
		if v != nil {
			there++
		}
	}
	if there == len(values) {
		return ast.ArrayTerm(list...)
	}
	object := ast.NewObjectWithCapacity(there)
	for i, t := range list {
		if t.Value != nil {
			object.Insert(ast.InternedTerm(i), t)
		}
	}
	return ast.NewTerm(object)
}
