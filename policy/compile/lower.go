// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Bounds of the lowering of one program. They are far beyond what bundles of the
// greatest size need; what meets them is evaluated by OPA.
const (
	MaxTime   = 2 * time.Second
	MaxMemory = 256 << 20 // bytes, as counted while nodes are made
)

// UnsupportedError says what cannot be lowered exactly, and where it stands.
type UnsupportedError struct {
	Reason string
	File   string
	Line   int
	Bound  bool // it is not what the policy says but how much: a bound was met
}

func (e *UnsupportedError) Error() string {
	if e.File == "" {
		return "compile: " + e.Reason
	}
	return fmt.Sprintf("compile: %s:%d: %s", e.File, e.Line, e.Reason)
}

// Lower makes a program that evaluates rules of a bundle: complete rules and partial
// sets and objects, each by its path, such as data.shop.orders.allow. The compiler must
// have compiled, and data is the bundle's, which must not change any more. What cannot
// be lowered exactly is an [*UnsupportedError].
func Lower(compiler *ast.Compiler, data map[string]any, paths ...ast.Ref) (*Program, error) {
	return bounds{MaxTime, MaxMemory}.lower(compiler, data, paths)
}

// bounds are what a lowering may take.
type bounds struct {
	time   time.Duration
	memory int // bytes
}

func (b bounds) lower(compiler *ast.Compiler, data map[string]any, paths []ast.Ref) (p *Program, err error) {
	l := &lowerer{
		bounds: b, compiler: compiler, data: data, deadline: time.Now().Add(b.time), program: &Program{},
		slots: []slot{{path: "input"}}, slotIDs: make(map[string]int32), rules: make(map[string]*ruleset),
		constants: make(map[string]Value), guards: make(map[guard]bool),
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *UnsupportedError:
			p, err = nil, r
		case surprise: // of a constant
			p, err = nil, &UnsupportedError{Reason: r.reason}
		default: // OPA evaluates; tests look for this
			p, err = nil, &UnsupportedError{Reason: fmt.Sprintf("%s of the lowering: %v", fault, r)}
		}
	}()
	for _, path := range paths {
		rules := l.ruleset(path)
		if rules.args >= 0 {
			l.unsupported("%s is a function", path)
		}
		l.program.outputs = append(l.program.outputs, rules)
	}
	l.program.slots, l.program.rules = l.slots, len(l.rules)
	for g := range l.guards {
		l.program.guards = append(l.program.guards, g)
	}
	slices.SortFunc(l.program.guards, func(a, b guard) int { return int(a.slot) - int(b.slot) })
	return l.program, nil
}

// fault is how the reason begins for something that must not happen. A policy that finds
// a mistake of ours is evaluated by OPA rather than not at all.
const fault = "fault"

// lowerer holds what is known while a program is made.
type lowerer struct {
	bounds
	compiler  *ast.Compiler
	data      map[string]any
	deadline  time.Time
	spent     int // bytes
	look      int // at the clock when so many are spent
	at        *ast.Location
	program   *Program
	slots     []slot
	slotIDs   map[string]int32
	rules     map[string]*ruleset
	constants map[string]Value
	guards    map[guard]bool
}

func (l *lowerer) unsupported(format string, args ...any) {
	e := &UnsupportedError{Reason: fmt.Sprintf(format, args...)}
	if l.at != nil {
		e.File, e.Line = l.at.File, l.at.Row
	}
	panic(e)
}

// spend counts bytes, and looks at the clock.
func (l *lowerer) spend(bytes int) {
	l.spent += bytes
	switch {
	case l.spent > l.memory:
		panic(&UnsupportedError{Reason: fmt.Sprintf("lowering needs more than %d MiB", l.memory>>20), Bound: true})
	case l.spent < l.look: // a look at the clock takes longer than a step
	case time.Now().After(l.deadline):
		panic(&UnsupportedError{Reason: fmt.Sprintf("lowering takes more than %v", l.time), Bound: true})
	default:
		l.look = l.spent + 1<<16
	}
}

// slot returns the number of a path of the input.
func (l *lowerer) slot(parent int32, key Value) int32 {
	path := l.slots[parent].path
	if s, ok := key.Text(); ok && identifier(s) {
		path += "." + s
	} else {
		path += "[" + toAST(key).String() + "]"
	}
	if i, ok := l.slotIDs[path]; ok {
		return i
	}
	i := int32(len(l.slots)) //nolint:gosec // fewer than there are bytes in a bundle
	name, _ := key.Text()
	l.slots = append(l.slots, slot{parent: parent, field: fields[name], key: key, name: name, path: path})
	l.slotIDs[path] = i
	l.spend(96 + len(path))
	return i
}

func identifier(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

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

// ground returns a term's value if it is constant.
func (l *lowerer) ground(t *ast.Term) (Value, bool) {
	switch t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
	case *ast.Array, ast.Object, ast.Set:
		computed := false
		ast.WalkTerms(t, func(t *ast.Term) bool {
			switch t.Value.(type) {
			case ast.Null, ast.Boolean, ast.Number, ast.String, *ast.Array, ast.Object, ast.Set:
			default:
				computed = true
			}
			return computed
		})
		if computed {
			return Value{}, false
		}
	default:
		return Value{}, false
	}
	v := fromAST(t.Value)
	if v.k == array {
		v.array().lookInto()
	}
	l.spend(32)
	return v, true
}

// dataAt returns the data at a path, as a constant.
func (l *lowerer) dataAt(path []Value) Value {
	var name strings.Builder
	var at any = l.data
	for _, key := range path {
		fmt.Fprintf(&name, "/%d:%s", key.k, key.name())
		switch v := at.(type) {
		case map[string]any:
			if key.k != text {
				l.unsupported("a key of data that is no string")
			}
			next, ok := v[key.string()]
			if !ok {
				return Value{}
			}
			at = next
		case []any:
			i, ok := key.index()
			if !ok {
				l.unsupported("an index of data that is no integer")
			}
			if i < 0 || i >= len(v) {
				return Value{}
			}
			at = v[i]
		default:
			return Value{}
		}
	}
	if v, ok := l.constants[name.String()]; ok {
		return v
	}
	l.weigh(at)
	v := constant(at)
	l.constants[name.String()] = v
	return v
}

// weigh counts what a constant will take.
func (l *lowerer) weigh(x any) {
	switch x := x.(type) {
	case map[string]any:
		l.spend(112 * len(x))
		for _, v := range x {
			l.weigh(v)
		}
	case []any:
		l.spend(80 * len(x))
		for _, v := range x {
			l.weigh(v)
		}
	}
}
