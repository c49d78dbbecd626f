// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"
)

// kinds is a set of kinds.
type kinds uint32

const (
	anyKind     kinds = ^kinds(0)
	textKinds         = 1 << text
	numberKinds       = 1<<integer | 1<<decimal | 1<<written
	arrayKinds        = 1<<array | 1<<slice | 1<<strs
	objectKinds       = 1<<object | 1<<dict | 1<<request | 1<<entity | 1<<action | 1<<record
	setKinds          = 1 << set
)

// body is a list of expressions on its way to steps. Bodies within it, of not, every
// and comprehensions, are bodies of their own, which see its variables.
type body struct {
	l       *lowerer
	branch  *branch
	facts   *facts
	vars    map[ast.Var]operand
	ops     []op
	top     bool // not within another
	ordered bool // the order of solutions shows
}

// facts are what is known of one rule's variables.
type facts struct {
	raises  bool // some step can be an error
	types   map[int32]kinds
	uses    map[int32]int // how often a variable is read
	members map[int32]membership
	found   []found
}

func (s *body) add(t test) { s.ops = append(s.ops, op{test: t}) }

func (s *body) reg(types kinds) int32 {
	i := s.branch.regs
	s.branch.regs++
	s.facts.types[i] = types
	return i
}

func reg(i int32) operand { return operand{where: inReg, i: i} }

func constantly(v Value) operand { return operand{value: v} }

// inner returns a body within this one.
func (s *body) inner() *body {
	return &body{l: s.l, branch: s.branch, facts: s.facts, vars: maps.Clone(s.vars), ordered: s.ordered}
}

// within lowers a body within this one, and tells whether it can be an error.
func (s *body) within(fn func(*body)) (in *body, raises bool) {
	before := s.facts.raises
	s.facts.raises = false
	in = s.inner()
	fn(in)
	raises = s.facts.raises
	s.facts.raises = before || raises
	return in, raises
}

func (s *body) lower(exprs ast.Body) {
	for _, e := range exprs {
		if e.Location != nil {
			s.l.at = e.Location
		}
		s.l.spend(64)
		s.expr(e)
	}
}

func (s *body) expr(e *ast.Expr) {
	if len(e.With) > 0 {
		s.l.unsupported("with")
	}
	if e.Negated {
		positive := e.ComplementNoWith()
		in, raises := s.within(func(in *body) { in.expr(positive) })
		s.add(&not{in.ops, raises})
		return
	}
	switch terms := e.Terms.(type) {
	case *ast.Term:
		s.truth(terms)
	case []*ast.Term:
		if e.IsEquality() {
			s.equate(terms[1], terms[2])
			return
		}
		s.call(terms)
	case *ast.Every:
		s.every(terms)
	case *ast.Not:
		in, raises := s.within(func(in *body) { in.lower(terms.Body) })
		s.add(&not{in.ops, raises})
	default:
		s.l.unsupported("an expression of type %T", terms)
	}
}

func (s *body) truth(t *ast.Term) {
	s.add(&isTrue{s.value(t)})
}

func (s *body) every(e *ast.Every) {
	domain := s.value(e.Domain)
	o := &every{a: domain, key: s.reg(anyKind), value: s.reg(anyKind)}
	in, raises := s.within(func(in *body) {
		in.ordered = false
		if e.Key != nil {
			in.unify(e.Key, reg(o.key))
		}
		in.unify(e.Value, reg(o.value))
		in.lower(e.Body)
	})
	o.body, o.exhaust = in.ops, raises
	s.add(o)
}
