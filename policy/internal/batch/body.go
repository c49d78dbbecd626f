// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// row is the variable that stands for the row in every rewritten rule.
var row = ast.VarTerm("__row__")

// body rewrites the expressions of a body, in their order.
func (w *rewriter) body(b ast.Body) (out []*ast.Expr) {
	for _, e := range b {
		for _, made := range w.expr(e) {
			out = append(out, w.unindexed(made, b)...)
		}
	}
	return out
}

// unindexed takes a comparison of a column with what is known beforehand apart: OPA would
// skip the body when no row of the batch has that value, and with it what fails before.
func (w *rewriter) unindexed(e *ast.Expr, within ast.Body) []*ast.Expr {
	if !e.IsEquality() || e.Negated {
		return []*ast.Expr{e}
	}
	a, b := e.Operand(0), e.Operand(1)
	if !isCell(a) {
		a, b = b, a
	}
	if v, ok := b.Value.(ast.Var); !isCell(a) || ok && !isConstant(v, within) {
		return []*ast.Expr{e}
	}
	cell := ast.VarTerm(w.fresh("cell"))
	return []*ast.Expr{ast.Equality.Expr(cell, a), ast.Equality.Expr(cell, b)}
}

// isCell reports whether a term is a column's value for the row.
func isCell(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	return ok && len(ref) == 3 && ref[2].Equal(row)
}

// isConstant reports whether a body sets a variable to a constant.
func isConstant(v ast.Var, within ast.Body) bool {
	return slices.ContainsFunc(within, func(e *ast.Expr) bool {
		if !e.IsEquality() {
			return false
		}
		a, b := e.Operand(0).Value, e.Operand(1).Value
		return v.Equal(a) && ast.IsConstant(b) || v.Equal(b) && ast.IsConstant(a)
	})
}

// moved is what an expression refers to, and what of it is asked before it.
type moved struct {
	calls  []*ast.Expr // of rules that read the input
	others bool        // it refers to other rules too, or holds a comprehension
}

// expr rewrites one expression. A rule of the input that it refers to is a call before it:
// that is the same as in it, as long as nothing else in the expression can fail first.
func (w *rewriter) expr(e *ast.Expr) []*ast.Expr {
	if e.Location != nil {
		w.at = e.Location
	}
	if len(e.With) > 0 {
		w.refuse("with")
	}
	made := &ast.Expr{Location: e.Location, Generated: e.Generated, Negated: e.Negated}
	var m moved
	switch terms := e.Terms.(type) {
	case *ast.Term:
		if call := w.bareRule(terms); call != nil {
			made.Terms = call
			break
		}
		made.Terms = w.term(terms, &m)
	case []*ast.Term:
		list := make([]*ast.Term, 0, len(terms)+1)
		if ref, ok := terms[0].Value.(ast.Ref); ok && ref[0].Equal(ast.DefaultRootDocument) {
			if _, _, reading := w.leads(ref); reading {
				list = append(list, ast.NewTerm(w.function(ref)), row)
			}
		}
		if len(list) == 0 {
			list = append(list, terms[0])
		}
		for _, t := range terms[1:] {
			list = append(list, w.term(t, &m))
		}
		made.Terms = list
	case *ast.Every:
		every := &ast.Every{Key: terms.Key, Value: terms.Value, Domain: w.term(terms.Domain, &m)}
		every.Body = ast.NewBody(w.body(terms.Body)...)
		m.others = true
		made.Terms = every
	default:
		w.refuse("an expression of type %T", terms)
	}
	if n := len(m.calls); n > 1 || n == 1 && (e.Negated || m.others) {
		w.refuse("two rules in one expression, or a rule of the input in a negated one")
	}
	return append(m.calls, made)
}

// bareRule makes the call of a rule of the input that is an expression by itself, which may
// be negated.
func (w *rewriter) bareRule(t *ast.Term) []*ast.Term {
	ref, ok := t.Value.(ast.Ref)
	if !ok || !ref[0].Equal(ast.DefaultRootDocument) {
		return nil
	}
	if n, _, reading := w.leads(ref); reading && n == len(ref) {
		return []*ast.Term{ast.NewTerm(w.function(ref)), row}
	}
	return nil
}

// head rewrites a term of a rule's head, before which nothing can be asked.
func (w *rewriter) head(t *ast.Term) *ast.Term {
	var m moved
	out := w.term(t, &m)
	if len(m.calls) > 0 {
		w.refuse("a rule of the input in a rule's head")
	}
	return out
}

func (w *rewriter) term(t *ast.Term, m *moved) *ast.Term {
	list := func(t *ast.Term) *ast.Term { return w.term(t, m) }
	switch v := t.Value.(type) {
	case ast.Var:
		if v.Equal(ast.InputRootDocument.Value) {
			w.refuse("all of the input")
		}
	case ast.Ref:
		return ast.NewTerm(w.ref(v, m)).SetLocation(t.Location)
	case *ast.Array:
		made := make([]*ast.Term, v.Len())
		for i := range made {
			made[i] = list(v.Elem(i))
		}
		return ast.ArrayTerm(made...).SetLocation(t.Location)
	case ast.Object:
		made, _ := v.Map(func(k, v *ast.Term) (*ast.Term, *ast.Term, error) { return list(k), list(v), nil })
		return ast.NewTerm(made).SetLocation(t.Location)
	case ast.Set:
		made, _ := v.Map(func(e *ast.Term) (*ast.Term, error) { return list(e), nil })
		return ast.NewTerm(made).SetLocation(t.Location)
	case *ast.ArrayComprehension:
		w.comprehension(t, m)
		return ast.ArrayComprehensionTerm(w.head(v.Term), ast.NewBody(w.body(v.Body)...)).SetLocation(t.Location)
	case *ast.SetComprehension:
		w.comprehension(t, m)
		return ast.SetComprehensionTerm(w.head(v.Term), ast.NewBody(w.body(v.Body)...)).SetLocation(t.Location)
	case *ast.ObjectComprehension:
		w.comprehension(t, m)
		return ast.ObjectComprehensionTerm(w.head(v.Key), w.head(v.Value), ast.NewBody(w.body(v.Body)...)).SetLocation(t.Location)
	case ast.Null, ast.Boolean, ast.Number, ast.String:
	default:
		w.refuse("a term of type %T", v)
	}
	return t
}

// comprehension refuses one that OPA evaluates for all that it can be asked with at once: it
// can fail for what it is not asked with.
func (w *rewriter) comprehension(t *ast.Term, m *moved) {
	m.others = true
	if w.compiler.ComprehensionIndex(t) != nil {
		w.refuse("a comprehension that OPA has an index for")
	}
}

func (w *rewriter) ref(ref ast.Ref, m *moved) ast.Ref {
	out, rest := ast.Ref{ref[0]}, ref[1:]
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		c := w.column(ref)
		out, rest = ast.Ref{ref[0], ast.IntNumberTerm(c), row}, ref[1+len(w.columns[c]):]
	case ref[0].Equal(ast.DefaultRootDocument):
		n, some, reading := w.leads(ref)
		if reading {
			result := ast.VarTerm(w.fresh("result"))
			m.calls = append(m.calls, ast.NewExpr([]*ast.Term{ast.NewTerm(w.function(ref[:n])), row, result}))
			out, rest = ast.Ref{result}, ref[n:]
		} else if some {
			m.others = true
		}
	default:
		if _, ok := ref[0].Value.(ast.Var); !ok { // a literal, a comprehension
			out[0] = w.term(ref[0], m)
		}
	}
	for _, t := range rest {
		out = append(out, w.term(t, m))
	}
	return out
}

// column returns the number of the column that a reference into the input reads.
func (w *rewriter) column(ref ast.Ref) int {
	n := slices.IndexFunc(w.columns, func(path []string) bool {
		if len(path) >= len(ref) {
			return false
		}
		for i, key := range path {
			if !ref[i+1].Equal(ast.StringTerm(key)) {
				return false
			}
		}
		return true
	})
	if n < 0 {
		w.refuse("%s is in no column", ref)
	}
	return n
}
