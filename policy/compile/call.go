// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// call lowers a call of a function or a builtin, whose last term may take the result.
func (s *body) call(terms []*ast.Term) {
	name, ok := terms[0].Value.(ast.Ref)
	if !ok {
		s.l.unsupported("a call of %s", terms[0])
	}
	if head, isVar := name[0].Value.(ast.Var); isVar && head == ast.DefaultRootDocument.Value.(ast.Var) {
		s.callFunction(name, terms[1:])
		return
	}
	switch name := name.String(); name {
	case ast.WalkBuiltin.Name:
		s.descend(terms[1:])
	case ast.InternalTemplateString.Name:
		s.interpolate(terms[1:])
	default:
		s.callBuiltin(name, terms[1:])
	}
}

func (s *body) callFunction(name ast.Ref, terms []*ast.Term) {
	r := s.l.ruleset(name)
	if r.args < 0 || len(terms) < int(r.args) {
		s.l.unsupported("%s is not a function of %d arguments", name, len(terms))
	}
	o := &call{rules: r, regs: &s.branch.regs}
	for _, t := range terms[:r.args] {
		o.args = append(o.args, s.item(t))
	}
	s.facts.raises = s.facts.raises || r.raise
	o.to = s.reg(anyKind)
	s.add(o)
	s.take(terms[r.args:], reg(o.to))
}

// take hands a result to the term that takes it; without one it has to be true.
func (s *body) take(terms []*ast.Term, o operand) {
	if len(terms) == 0 {
		s.add(&isTrue{o})
		return
	}
	if _, unbound := s.unbound(terms[0]); !unbound && !s.hasUnbound(terms[0]) {
		// OPA would compare before it evaluates the function, and so see other conflicts.
		s.facts.raises = true
	}
	s.unify(terms[0], o)
}

func (s *body) callBuiltin(name string, terms []*ast.Term) {
	decl, known := ast.BuiltinMap[name]
	if !known || decl.Nondeterministic || refused[name] {
		s.l.unsupported("builtin %s", name)
	}
	arity := decl.Decl.Arity()
	if len(terms) < arity || decl.Decl.Result() == nil {
		s.l.unsupported("builtin %s with %d arguments", name, len(terms))
	}
	args := make([]operand, arity)
	for i, t := range terms[:arity] {
		args[i] = s.item(t)
	}
	if name == "equal" && len(terms) == arity {
		s.same(args[0], args[1])
		return
	}
	if s.pattern(name, args, terms[arity:]) {
		return
	}
	b, native := natives[name]
	if !native {
		b = builtin{fails: totals[name] == nil, takes: totals[name]}
		fn := topdown.GetBuiltin(name)
		if fn == nil {
			s.l.unsupported("builtin %s", name)
		}
		b.fn = through(name, fn, totals[name] != nil)
	}
	s.apply(b, args, terms[arity:])
	if len(terms) == arity && len(args) == 2 {
		s.noteCall(name, args)
	}
}

// apply adds the step that calls a builtin.
func (s *body) apply(b builtin, args []operand, out []*ast.Term) {
	s.facts.raises = s.facts.raises || b.fails
	for i, takes := range b.takes {
		s.require(args[i], takes)
	}
	if len(out) == 0 {
		switch {
		case b.two != nil:
			s.add(&holds2{b.two, args[0], args[1]})
			return
		case b.one != nil:
			s.add(&holds1{b.one, args[0]})
			return
		}
	}
	types := b.makes
	if types == 0 {
		types = anyKind
	}
	to := s.reg(types)
	switch {
	case b.two != nil:
		s.add(&apply2{b.two, args[0], args[1], to})
	case b.one != nil:
		s.add(&apply1{b.one, args[0], to})
	default:
		s.add(&applyAll{b.fn, args, to})
	}
	if len(out) == 0 {
		s.add(&isTrue{reg(to)})
		return
	}
	s.unify(out[0], reg(to))
}

// require makes sure that an argument is of kinds that a builtin takes: by what is
// known, by a look at the path of the input before anything else, or by treating the
// body as one that can be an error.
func (s *body) require(o operand, takes kinds) {
	switch o.where {
	case inConst:
		s.facts.raises = s.facts.raises || takes&(1<<o.value.k) == 0
	case inSlot:
		if takes != anyKind {
			s.l.guards[guard{o.i, takes}] = true
		}
	case inReg:
		s.facts.raises = s.facts.raises || s.facts.types[o.i]&^takes != 0
	}
}

// orders are the builtins that order two values, and turned says what they are when the
// values change places.
var (
	orders = map[string]how{"gt": greater, "gte": greaterEqual, "lt": less, "lte": lessEqual}
	turned = map[how]how{greater: less, greaterEqual: lessEqual, less: greater, lessEqual: greaterEqual}
)

// literals are the builtins that look for a text in another.
var literals = map[string]how{"startswith": startsWith, "contains": holdsText, "endswith": endsWith}

// noteCall remembers the condition that a call without a result is.
func (s *body) noteCall(name string, args []operand) {
	a, b := args[0], args[1]
	switch name {
	case "gt", "gte", "lt", "lte":
		how := orders[name]
		if a.where == inConst {
			a, b, how = b, a, turned[how]
		}
		if a.where == inSlot && b.where == inConst {
			s.note(how, a, b.value)
		}
	case "startswith", "contains", "endswith":
		if a.where == inSlot && b.where == inConst && b.value.k == text {
			s.note(literals[name], a, b.value)
		}
	case "internal.member_2":
		switch {
		case a.where == inConst && b.where == inSlot:
			s.note(hasMember, b, a.value)
		case a.where != inConst && b.where == inConst && b.value.length() > 0 && b.value.length() <= maxWays:
			values := make([]Value, 0, b.value.length())
			visit(&frame{}, b.value, false, func(_, v Value) bool {
				values = append(values, v)
				return false
			})
			s.note(isValue, a, values...)
		}
	}
}

// pattern lowers matches against constant patterns, which are compiled once.
func (s *body) pattern(name string, args []operand, out []*ast.Term) bool {
	if args == nil || args[0].where != inConst {
		return false
	}
	first, ok := args[0].value.Text()
	if !ok {
		return false
	}
	var match func(string) bool
	subject := 1
	switch name {
	case "regex.match":
		match = matchRegex(first)
	case "glob.match":
		if args[1].where != inConst {
			return false
		}
		match = matchGlob(first, args[1].value)
		subject = 2
	}
	if match == nil {
		return false
	}
	s.apply(builtin{one: func(v Value) Value {
		v.must(text)
		return boolValue(match(v.string()))
	}, takes: []kinds{textKinds}, makes: 1 << boolean}, args[subject:subject+1], out)
	if prefix, whole := literalPrefix(name, first); prefix != "" && len(out) == 0 && args[subject].where == inSlot {
		if whole {
			s.note(isValue, args[subject], textValue(prefix))
		} else {
			n := len(s.facts.found)
			s.note(startsWith, args[subject], textValue(prefix))
			for i := n; i < len(s.facts.found); i++ {
				s.facts.found[i].ops = nil // the rest of the pattern is still to be matched
			}
		}
	}
	return true
}

// literalPrefix returns the text with which everything starts that a pattern matches,
// and whether it is all that it matches.
func literalPrefix(name, pattern string) (prefix string, whole bool) {
	if name == "regex.match" {
		rest, anchored := strings.CutPrefix(pattern, "^")
		if !anchored {
			return "", false
		}
		return regexPrefix(rest)
	}
	at := strings.IndexAny(pattern, `*?[{\`)
	if at < 0 {
		return pattern, true
	}
	return pattern[:at], false
}
