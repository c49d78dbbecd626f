// SPDX-License-Identifier: Apache-2.0

package compile

import "github.com/open-policy-agent/opa/v1/ast"

// ref lowers a reference into the input, the data, a rule or a variable.
func (s *body) ref(ref ast.Ref) operand {
	head, ok := ref[0].Value.(ast.Var)
	switch {
	case !ok:
		s.l.unsupported("a reference into %s", ref[0])
	case head == ast.InputRootDocument.Value.(ast.Var):
		if _, bound := s.vars[head]; !bound {
			return s.input(ref[1:])
		}
	case head == ast.DefaultRootDocument.Value.(ast.Var):
		return s.document(ref)
	}
	o, bound := s.vars[head]
	if !bound {
		s.l.unsupported("a reference into %s, which has no value where it is used", head)
	}
	if o.where == inReg {
		s.facts.uses[o.i]++
	}
	return s.along(o, ref[1:])
}

func (s *body) input(keys []*ast.Term) operand {
	at := int32(0)
	for i, t := range keys {
		key, ok := s.scalar(t)
		if !ok {
			return s.along(operand{where: inSlot, i: at}, keys[i:])
		}
		at = s.l.slot(at, key)
	}
	return operand{where: inSlot, i: at}
}

// scalar returns the constant that a key is.
func (s *body) scalar(t *ast.Term) (Value, bool) {
	v, ok := s.l.ground(t)
	if ok && v.k.order() > text.order() {
		return Value{}, false
	}
	if name, isVar := t.Value.(ast.Var); isVar {
		o, bound := s.vars[name]
		if bound && o.where == inConst && o.value.k.order() <= text.order() {
			return o.value, true
		}
	}
	return v, ok
}

// document lowers a reference to a rule, or to data where there are no rules.
func (s *body) document(ref ast.Ref) operand {
	node := s.l.compiler.RuleTree.Child(ref[0].Value)
	var path []Value
	for i := 1; ; i++ {
		if node != nil && len(node.Values) > 0 {
			return s.along(s.rule(s.l.ruleset(plain(ref[:i], path))), ref[i:])
		}
		if node != nil && len(node.Children) == 0 {
			node = nil
		}
		if i == len(ref) {
			break
		}
		key, ok := s.scalar(ref[i])
		if !ok {
			if node != nil {
				return s.named(ref, i, path, node)
			}
			return s.alongData(s.data(path), ref[i:])
		}
		path = append(path, key)
		if node != nil {
			node = node.Child(toAST(key))
		}
	}
	if node != nil || s.l.isPackage(path) {
		return s.together(ref, path, node)
	}
	return s.data(path)
}

// plain is a reference with its keys as constants.
func plain(ref ast.Ref, path []Value) ast.Ref {
	out := ast.Ref{ref[0]}
	for _, key := range path {
		out = append(out, ast.NewTerm(toAST(key)))
	}
	return out
}

func (s *body) data(path []Value) operand {
	v := s.l.dataAt(path)
	if v.k == undefined {
		s.add(never{})
	}
	return constantly(v)
}

func (s *body) rule(r *ruleset) operand {
	if r.args >= 0 {
		s.l.unsupported("function %s without arguments", r.name)
	}
	s.facts.raises = s.facts.raises || r.raise
	types := anyKind
	switch r.what {
	case set:
		types = setKinds
	case object:
		types = objectKinds
	}
	to := s.reg(types)
	s.add(&ask{r, &s.branch.regs, to})
	return reg(to)
}

// isPackage reports whether a path is that of a package, or of some: one without
// rules is an empty object.
func (l *lowerer) isPackage(path []Value) bool {
	node := l.compiler.ModuleTree.Children[ast.DefaultRootDocument.Value]
	for _, key := range path {
		if node == nil {
			return false
		}
		node = node.Children[toAST(key)]
	}
	return node != nil
}

// along follows keys from a value. A variable without a value runs over all members.
func (s *body) along(o operand, keys []*ast.Term) operand { return s.walk(o, keys, false) }

// alongData follows keys into the data.
func (s *body) alongData(o operand, keys []*ast.Term) operand { return s.walk(o, keys, true) }

func (s *body) walk(o operand, keys []*ast.Term, data bool) operand {
	for _, t := range keys {
		if s.hasUnbound(t) {
			o = s.members(o, t)
			continue
		}
		key := s.value(t)
		if o.where == inConst && key.where == inConst && !data {
			v := dot(o.value, key.value)
			if v.k == undefined {
				s.add(never{})
			}
			o = constantly(v)
			continue
		}
		to := s.reg(anyKind)
		if data {
			s.add(&lookUp{o, key, to})
		} else {
			s.add(&follow{o, key, to})
		}
		o = reg(to)
	}
	return o
}

// members lowers a step over all members of a collection, whose keys fit a pattern.
func (s *body) members(o operand, key *ast.Term) operand {
	it := &iterate{a: o, key: s.reg(anyKind), value: s.reg(anyKind), ordered: s.ordered}
	if s.top && o.where == inSlot {
		s.facts.members[it.value] = membership{len(s.ops), o.i, it.key}
	}
	s.ops = append(s.ops, op{each: it})
	s.unify(key, reg(it.key))
	return reg(it.value)
}
