// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy/compile"
)

// Form says how the members of the answers of one row make up the rule's value.
type Form uint8

// Forms of rules.
const (
	Value  Form = iota // [row, value], of which there is at most one
	Set                // [row, member]
	Object             // [row, [key, value]], of which there is at most one for each key
)

// Query is a rule over rows.
type Query struct {
	Compiler *ast.Compiler // of the rewritten rules and all that they need
	Path     ast.Ref       // of the set of answers
	Form     Form
}

// Rewrite makes a query of the rule at a path. The columns are what the rule reads of the
// input, as paths of which none lies in another; root is a name that neither a package nor
// data begins with. What cannot be rewritten exactly is a [*compile.UnsupportedError].
func Rewrite(compiler *ast.Compiler, path ast.Ref, columns [][]string, root string) (q *Query, err error) {
	w := &rewriter{
		compiler: compiler, columns: columns, root: ast.Ref{ast.DefaultRootDocument, ast.StringTerm(root)},
		reads: make(map[*ast.Rule]bool), functions: make(map[string]ast.Ref), kept: make(map[*ast.Rule]bool),
	}
	defer func() {
		if r := recover(); r != nil {
			refused, ok := r.(*compile.UnsupportedError)
			if !ok { // a policy that finds a mistake of ours is asked one input at a time
				refused = &compile.UnsupportedError{Reason: fmt.Sprint("fault of the rewriting: ", r)}
			}
			q, err = nil, refused
		}
	}()
	for _, c := range columns {
		if len(c) == 0 {
			w.refuse("all of the input")
		}
	}
	q = &Query{Path: append(slices.Clone(w.root), ast.StringTerm("answers"))}
	q.Form = w.answers(path)
	q.Compiler = ast.NewCompiler().WithCapabilities(compiler.Capabilities()).WithDefaultRegoVersion(ast.RegoV1)
	q.Compiler.Compile(w.modules(root))
	if q.Compiler.Failed() {
		return nil, &compile.UnsupportedError{Reason: "rewritten: " + strings.Join(strings.Fields(q.Compiler.Errors.Error()), " ")}
	}
	return q, nil
}

// rewriter holds what is known of the rules while a query is made.
type rewriter struct {
	compiler  *ast.Compiler
	columns   [][]string
	root      ast.Ref
	reads     map[*ast.Rule]bool // by rule, whether it or one that it refers to reads the input
	functions map[string]ast.Ref // by the path of what was rewritten
	rules     []*ast.Rule        // rewritten
	kept      map[*ast.Rule]bool // needed as they are
	at        *ast.Location
	names     int
}

func (w *rewriter) refuse(format string, args ...any) {
	e := &compile.UnsupportedError{Reason: fmt.Sprintf(format, args...)}
	if w.at != nil {
		e.File, e.Line = w.at.File, w.at.Row
	}
	panic(e)
}

// fresh makes a name that no compiled module has.
func (w *rewriter) fresh(what string) string {
	w.names++
	return fmt.Sprintf("__%s%d__", what, w.names)
}

// answers makes the rules of the set of answers.
func (w *rewriter) answers(path ast.Ref) Form {
	rules := w.rulesAt(path)
	form, whole := Value, false
	for i, r := range rules {
		f := w.formOf(r)
		if i > 0 && f != form {
			w.refuse("rules of several kinds with one name")
		}
		form, whole = f, whole || r.Default || r.Else != nil
	}
	if whole {
		if form != Value {
			w.refuse("an else or a default of what has members")
		}
		name, value := w.function(path), ast.VarTerm("__value__")
		w.answer(value, []*ast.Expr{ast.NewExpr([]*ast.Term{ast.NewTerm(name), row, value})})
		return form
	}
	for _, r := range rules {
		w.at = r.Location
		body := w.body(r.Body)
		switch form {
		case Value:
			w.answer(w.head(r.Head.Value), body)
		case Set:
			w.answer(w.head(r.Head.Key), body)
		case Object:
			w.answer(ast.ArrayTerm(w.head(r.Head.Ref()[len(r.Head.Ref())-1]), w.head(r.Head.Value)), body)
		}
	}
	return form
}

// answer adds one rule to the set of answers.
func (w *rewriter) answer(member *ast.Term, body []*ast.Expr) {
	if !w.beginsWithRow(body[0]) {
		rows := ast.Ref{ast.InputRootDocument, ast.IntNumberTerm(len(w.columns)), row}
		body = append([]*ast.Expr{ast.NewExpr(ast.NewTerm(rows))}, body...)
	}
	name := ast.VarTerm("answers")
	w.rules = append(w.rules, &ast.Rule{
		Head: &ast.Head{Name: "answers", Reference: ast.Ref{name}, Key: ast.ArrayTerm(row, member)},
		Body: ast.NewBody(body...),
	})
}

// beginsWithRow reports whether an expression gives the row each value that its column has.
func (w *rewriter) beginsWithRow(e *ast.Expr) bool {
	column := func(t *ast.Term) bool {
		ref, ok := t.Value.(ast.Ref)
		return ok && len(ref) > 2 && ref[0].Equal(ast.InputRootDocument) && ref[2].Equal(row)
	}
	switch {
	case e.Negated:
		return false
	case e.IsEquality():
		_, left := e.Operand(0).Value.(ast.Var)
		_, right := e.Operand(1).Value.(ast.Var)
		return left && column(e.Operand(1)) || right && column(e.Operand(0))
	}
	t, ok := e.Terms.(*ast.Term)
	return ok && column(t)
}

// formOf says what kind a rule is, and refuses those whose name has a part that is computed.
func (w *rewriter) formOf(r *ast.Rule) Form {
	w.at = r.Location
	ref := r.Head.Ref()
	switch {
	case r.Head.RuleKind() == ast.MultiValue && ref.IsGround():
		return Set
	case r.Head.RuleKind() == ast.MultiValue:
		w.refuse("sets under keys that are computed")
	case ref.IsGround():
		return Value
	case len(ref) < 2 || !ref[:len(ref)-1].IsGround():
		w.refuse("a rule's name with more than one part that is computed")
	}
	return Object
}

// modules are the rewritten rules, and those that are needed as they are.
func (w *rewriter) modules(root string) map[string]*ast.Module {
	pkg := &ast.Package{Path: w.root}
	made := &ast.Module{Package: pkg, Rules: w.rules}
	made.SetRegoVersion(ast.RegoV1)
	for _, r := range w.rules {
		own(r, made)
	}
	list := map[string]*ast.Module{root: made}
	for name, m := range w.compiler.Modules {
		part := &ast.Module{Package: m.Package}
		part.SetRegoVersion(ast.RegoV1)
		for _, r := range m.Rules {
			if w.kept[r] {
				part.Rules = append(part.Rules, r)
			}
		}
		if len(part.Rules) > 0 {
			list["kept/"+name] = part.Copy()
		}
	}
	return list
}

func own(r *ast.Rule, m *ast.Module) {
	for ; r != nil; r = r.Else {
		r.Module = m
	}
}
