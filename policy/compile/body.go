// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// kinds is a set of kinds.
type kinds uint32

const (
	anyKind     kinds = ^kinds(0)
	textKinds         = 1 << text
	numberKinds       = 1<<integer | 1<<decimal | 1<<written
	arrayKinds        = 1<<array | 1<<slice | 1<<strs
	objectKinds       = 1<<object | 1<<dict | 1<<request | 1<<entity | 1<<action
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

// membership is a variable that runs over the members of a path of the input.
type membership struct {
	op   int
	slot int32
	key  int32
}

// found is a condition, as it was met.
type found struct {
	condition
	member *membership // the variable that the condition is on, if it is on one
	reg    int32
}

func (s *body) add(t test) { s.ops = append(s.ops, op{test: t}) }

func (s *body) reg(types kinds) int32 {
	i := s.branch.regs
	s.branch.regs++
	s.facts.types[i] = types
	return i
}

func reg(i int32) operand        { return operand{where: inReg, i: i} }
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

// value returns where the value of a term is, after steps that find it.
func (s *body) value(t *ast.Term) operand {
	if v, ok := s.l.ground(t); ok {
		return constantly(v)
	}
	switch v := t.Value.(type) {
	case ast.Var:
		o, bound := s.vars[v]
		if !bound {
			s.l.unsupported("variable %s has no value where it is used", v)
		}
		if o.where == inReg {
			s.facts.uses[o.i]++
		}
		return o
	case ast.Ref:
		return s.ref(v)
	case *ast.Array:
		o := &makeArray{to: s.reg(arrayKinds)}
		for i := range v.Len() {
			o.items = append(o.items, s.item(v.Elem(i)))
		}
		s.add(o)
		return reg(o.to)
	case ast.Set:
		o := &makeSet{to: s.reg(setKinds)}
		v.Foreach(func(t *ast.Term) { o.items = append(o.items, s.item(t)) })
		s.add(o)
		return reg(o.to)
	case ast.Object:
		o := &makeObject{to: s.reg(objectKinds)}
		v.Foreach(func(k, t *ast.Term) {
			o.keys, o.values = append(o.keys, s.item(k)), append(o.values, s.item(t))
		})
		s.facts.raises = s.facts.raises || computedKeys(o.keys)
		s.add(o)
		return reg(o.to)
	case *ast.ArrayComprehension:
		return s.collect(array, v.Body, nil, v.Term)
	case *ast.SetComprehension:
		return s.collect(set, v.Body, nil, v.Term)
	case *ast.ObjectComprehension:
		return s.collect(object, v.Body, v.Key, v.Value)
	}
	s.l.unsupported("a term of type %T", t.Value)
	return operand{}
}

func computedKeys(keys []operand) bool {
	for _, k := range keys {
		if k.where != inConst {
			return len(keys) > 1
		}
	}
	return false
}

// item is a value within a collection.
func (s *body) item(t *ast.Term) operand {
	o := s.value(t)
	s.present(o)
	return o
}

func (s *body) collect(what kind, exprs ast.Body, key, value *ast.Term) operand {
	o := &collect{what: what}
	in, _ := s.within(func(in *body) {
		in.ordered = what == array
		in.lower(exprs)
		if key != nil {
			k := in.item(key)
			o.sink.key = &k
			s.facts.raises = true // a key can have two values
		}
		v := in.item(value)
		o.sink.value = &v
	})
	o.body = in.ops
	switch what {
	case array:
		o.to = s.reg(arrayKinds)
	case set:
		o.to = s.reg(setKinds)
	default:
		o.to = s.reg(objectKinds)
	}
	s.add(o)
	return reg(o.to)
}

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
				s.l.unsupported("%s: a name that is computed among names of rules", ref)
			}
			return s.alongData(s.data(path), ref[i:])
		}
		path = append(path, key)
		if node != nil {
			node = node.Child(toAST(key))
		}
	}
	if node != nil || s.l.isPackage(path) {
		s.l.unsupported("%s: a whole package", ref)
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

// note remembers a condition on a path of the input, or on a member of one.
func (s *body) note(how how, o operand, values ...Value) {
	if !s.top {
		return
	}
	for _, v := range values {
		if v.k.order() > text.order() {
			return // of collections equality is not worth a place in an index
		}
	}
	c := condition{how: how, values: values, ops: []int{len(s.ops) - 1}}
	switch o.where {
	case inSlot:
		c.slot = o.i
		s.facts.found = append(s.facts.found, found{condition: c})
	case inReg:
		if m, ok := s.facts.members[o.i]; ok && how == isValue {
			c.how, c.slot = hasMember, m.slot
			s.facts.found = append(s.facts.found, found{c, &m, o.i})
		}
	}
}

// conditions concludes which steps need not run when a condition is known to hold.
func (s *body) conditions() {
	if s.facts.raises {
		return
	}
	gone := make(map[int]bool) // steps that another took over
	for _, f := range s.facts.found {
		c := f.condition
		if f.member != nil {
			if s.facts.uses[f.reg] > 1 || s.facts.uses[f.member.key] > 0 {
				c.ops = nil // the variable is needed for itself
			} else {
				// Nobody but the test asks which member it was: that there is one is enough.
				s.ops[f.member.op] = op{test: &hasAny{f.member.slot, newSet(slices.Clone(c.values))}}
				gone[c.ops[0]] = true
				c.ops = []int{f.member.op}
			}
		}
		for i, o := range s.ops {
			if d, ok := o.test.(*isDefined); ok && d.a.where == inSlot && d.a.i == c.slot {
				c.ops = append(c.ops, i)
			}
		}
		s.branch.tests = append(s.branch.tests, c)
	}
	if len(gone) == 0 {
		return
	}
	kept, at := make([]op, 0, len(s.ops)), make([]int, len(s.ops))
	for i, o := range s.ops {
		if at[i] = len(kept); !gone[i] {
			kept = append(kept, o)
		}
	}
	for _, c := range s.branch.tests {
		for i := range c.ops {
			c.ops[i] = at[c.ops[i]]
		}
	}
	s.ops = kept
}
