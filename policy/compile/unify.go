// SPDX-License-Identifier: Apache-2.0

package compile

import "github.com/open-policy-agent/opa/v1/ast"

// unbound returns the variable that a term is, if it has no value yet.
func (s *body) unbound(t *ast.Term) (ast.Var, bool) {
	v, ok := t.Value.(ast.Var)
	if !ok {
		return "", false
	}
	_, bound := s.vars[v]
	return v, !bound
}

// hasUnbound reports whether a pattern holds a variable without a value.
func (s *body) hasUnbound(t *ast.Term) bool {
	found := false
	switch t.Value.(type) {
	case ast.Var, *ast.Array, ast.Object:
	default:
		return false
	}
	ast.WalkTerms(t, func(t *ast.Term) bool {
		switch t.Value.(type) {
		case ast.Ref, *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, ast.Set:
			return true
		}
		if _, ok := s.unbound(t); ok {
			found = true
		}
		return found
	})
	return found
}

// equate lowers a = b.
func (s *body) equate(a, b *ast.Term) {
	switch {
	case !s.hasUnbound(a):
		// References on the left come first, and so do the variables that they set.
		left := s.value(a)
		if s.hasUnbound(b) {
			s.present(left)
			s.unify(b, left)
			return
		}
		s.same(left, s.value(b))
	case !s.hasUnbound(b):
		right := s.value(b)
		s.present(right)
		s.unify(a, right)
	default:
		s.both(a, b)
	}
}

// both takes two patterns apart that each hold variables.
func (s *body) both(a, b *ast.Term) {
	switch x := a.Value.(type) {
	case *ast.Array:
		if y, ok := b.Value.(*ast.Array); ok {
			if x.Len() != y.Len() {
				s.add(never{})
				// The variables still need to be there for what follows.
				s.l.unsupported("arrays of different lengths")
			}
			for i := range x.Len() {
				s.equate(x.Elem(i), y.Elem(i))
			}
			return
		}
	case ast.Object:
		if y, ok := b.Value.(ast.Object); ok && x.Len() == y.Len() {
			for _, k := range x.Keys() {
				v := y.Get(k)
				if v == nil {
					s.l.unsupported("objects with different keys")
				}
				s.equate(x.Get(k), v)
			}
			return
		}
	}
	s.l.unsupported("two sides whose variables both have no value yet")
}

// present makes sure that a path of the input is there.
func (s *body) present(o operand) {
	if o.where == inSlot {
		s.add(&isDefined{o})
	}
}

// same lowers the equality of two values.
func (s *body) same(a, b operand) {
	if a.where == inConst && b.where == inConst {
		if !equal(a.value, b.value) {
			s.add(never{})
		}
		return
	}
	if a.where == inConst {
		a, b = b, a
	}
	switch {
	case a.where == inSlot && b.where == inConst && b.value.k == text:
		s.add(&isText{a.i, b.value.string()})
	case a.where == inSlot && b.where == inSlot:
		s.add(&areEqual{a.i, b.i})
	default:
		s.add(&isEqual{a, b})
	}
	if b.where == inConst {
		s.note(isValue, a, b.value)
	}
}

// unify sets the variables of a pattern by a value, which is there.
func (s *body) unify(t *ast.Term, from operand) {
	if name, ok := s.unbound(t); ok {
		s.vars[name] = from
		return
	}
	if !s.hasUnbound(t) {
		s.same(s.value(t), from)
		return
	}
	switch pattern := t.Value.(type) {
	case *ast.Array:
		s.add(&isArray{from, pattern.Len()})
		for i := range pattern.Len() {
			to := s.reg(anyKind)
			s.add(&follow{from, constantly(intValue(int64(i))), to})
			s.unify(pattern.Elem(i), reg(to))
		}
	case ast.Object:
		s.add(&isObject{from, pattern.Len()})
		for _, k := range pattern.Keys() {
			to := s.reg(anyKind)
			s.add(&follow{from, s.value(k), to})
			s.unify(pattern.Get(k), reg(to))
		}
	default:
		s.l.unsupported("a pattern of type %T", pattern)
	}
}
