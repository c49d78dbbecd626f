// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ruleset lowers all rules of a path.
func (l *lowerer) ruleset(path ast.Ref) *ruleset {
	name := path.String()
	if r, ok := l.rules[name]; ok {
		return r
	}
	rules := l.compiler.GetRulesExact(path)
	if len(rules) == 0 {
		l.unsupported("there is no rule %s", path)
	}
	r := &ruleset{id: int32(len(l.rules)), name: name, args: -1} //nolint:gosec // fewer than there are bytes in a bundle
	l.rules[name] = r
	before := l.at
	defer func() { l.at = before }()
	l.shape(r, path, rules)
	r.regs = max(r.args, 0)
	var branches []*branch
	var heads []*Value // of all branches and what follows else; nil where not constant
	many := false      // a body can hold in several ways with several values
	for _, rule := range rules {
		l.at = rule.Location
		if rule.Default {
			v, ok := l.ground(rule.Head.Value)
			if !ok {
				l.unsupported("a default that is computed")
			}
			r.fallback = v
			continue
		}
		first, last := (*branch)(nil), (*branch)(nil)
		for ; rule != nil; rule = rule.Else {
			b, fixed, ways := l.branch(r, path, rule)
			heads, many = append(heads, fixed), many || ways
			r.raise = r.raise || b.raises
			if first == nil {
				first = b
			} else {
				last.otherwise = b
			}
			last = b
		}
		if first.otherwise != nil {
			first.tests = nil // when its body fails, others are tried
			for b := first.otherwise; b != nil; b = b.otherwise {
				first.raises = first.raises || b.raises
			}
		}
		branches = append(branches, first)
	}
	l.conclude(r, branches, heads, many)
	return r
}

// shape finds out what kind of rules these are, and refuses what is not all of one.
func (l *lowerer) shape(r *ruleset, path ast.Ref, rules []*ast.Rule) {
	node := l.compiler.RuleTree
	for _, t := range path {
		if len(node.Values) > 0 {
			l.at = node.Values[0].Location
			l.unsupported("rules below %s besides rules of it", node.Values[0].Ref())
		}
		node = node.Child(t.Value)
	}
	if len(node.Children) > 0 {
		l.at = rules[0].Location
		l.unsupported("rules below %s besides rules of it", path)
	}
	for i, rule := range rules {
		l.at = rule.Location
		what, args := undefined, int32(-1)
		ref := rule.Ref()
		switch {
		case len(rule.Head.Args) > 0:
			args = int32(len(rule.Head.Args)) //nolint:gosec // a few
			if len(ref) != len(path) {
				l.unsupported("a function whose name is computed")
			}
		case rule.Head.RuleKind() == ast.MultiValue:
			what = set
			if len(ref) != len(path) {
				l.unsupported("sets under keys that are computed")
			}
		case len(ref) == len(path)+1:
			what = object
		case len(ref) != len(path):
			l.unsupported("a rule's name with more than one part that is computed")
		}
		if i > 0 && (what != r.what || args != r.args) {
			l.unsupported("rules of several kinds with one name")
		}
		r.what, r.args = what, args
	}
}

// conclude puts the branches where they are found, and finds out whether the rules
// can contradict each other.
func (l *lowerer) conclude(r *ruleset, branches []*branch, heads []*Value, many bool) {
	r.same = r.what == undefined && len(heads) > 0 && !slices.ContainsFunc(heads, func(v *Value) bool {
		return v == nil || !equal(*v, *heads[0])
	})
	switch {
	case r.what == object:
		r.raise = true
	case r.what == undefined && !r.same:
		r.raise = r.raise || many || len(branches) > 1 && !exclusive(branches, heads)
	}
	var quick []candidate
	for _, b := range branches {
		for at := b; at != nil; at = at.otherwise {
			if s, ok := at.sink.(*result); ok {
				s.last = s.last && !at.raises
			}
			r.regs = max(r.regs, at.regs)
		}
		if b.raises {
			r.careful = append(r.careful, b)
			continue
		}
		quick = append(quick, candidate{branch: b, left: b.tests})
	}
	r.quick = indexer{l}.build(quick)
	if l.asked[r.name] && len(r.careful) == 0 && r.fallback.k == undefined {
		l.screen(r, quick)
	}
	for _, b := range branches {
		for ; b != nil; b = b.otherwise {
			l.program.report = append(l.program.report, Rule{Name: r.name, File: b.file, Line: b.line, Indexed: b.indexed, InOrder: b.raises})
			b.tests = nil
		}
	}
}

// exclusive reports whether branches with different values cannot hold together,
// because each asks for another value at one path.
func exclusive(branches []*branch, heads []*Value) bool {
	if len(heads) != len(branches) {
		return false // some have an else
	}
	for _, first := range branches[0].tests {
		if first.how != isValue {
			continue
		}
		if func() bool {
			seen := make(map[string]*Value)
			for i, b := range branches {
				at := slices.IndexFunc(b.tests, func(c condition) bool { return c.how == isValue && c.slot == first.slot })
				if at < 0 || heads[i] == nil {
					return false
				}
				for _, v := range b.tests[at].values {
					if v.k != text {
						return false
					}
					if other, ok := seen[v.string()]; ok && !equal(*other, *heads[i]) {
						return false
					}
					seen[v.string()] = heads[i]
				}
			}
			return true
		}() {
			return true
		}
	}
	return false
}

// branch lowers one rule. It tells its value if that is constant, and whether its
// body can hold in several ways with several values.
func (l *lowerer) branch(r *ruleset, path ast.Ref, rule *ast.Rule) (*branch, *Value, bool) {
	l.at = rule.Location
	b := &branch{line: rule.Location.Row, file: rule.Location.File}
	s := &body{l: l, branch: b, vars: make(map[ast.Var]operand), top: true, facts: &facts{
		types: make(map[int32]kinds), uses: make(map[int32]int), members: make(map[int32]membership),
	}}
	if r.args > 0 {
		b.regs = r.args
		for i, arg := range rule.Head.Args {
			s.unify(arg, operand{where: inReg, i: int32(i)}) //nolint:gosec // a few
		}
	}
	s.lower(rule.Body)
	l.at = rule.Location
	var fixed *Value
	switch r.what {
	case set:
		key := s.value(rule.Head.Key)
		b.sink = &contribute{r.id, member{value: &key}}
	case object:
		ref := rule.Ref()
		key, value := s.value(ref[len(path)]), s.value(rule.Head.Value)
		b.sink = &contribute{r.id, member{&key, &value}}
	default:
		value := s.value(rule.Head.Value)
		if value.where == inConst {
			fixed = &value.value
		}
		b.sink = &result{id: r.id, value: value, last: fixed != nil}
	}
	b.raises = s.facts.raises
	s.conditions()
	b.ops = s.ops
	l.spend(256 + 64*len(b.ops))
	return b, fixed, fixed == nil && slices.ContainsFunc(b.ops, func(o op) bool { return o.each != nil })
}
