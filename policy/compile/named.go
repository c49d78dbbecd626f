// SPDX-License-Identifier: Apache-2.0

package compile

import "github.com/open-policy-agent/opa/v1/ast"

// named lowers a reference to one of several rules whose name is computed, such as
// limits[input.service] where there are limits.orders and limits.users.
func (s *body) named(ref ast.Ref, i int, path []Value, node *ast.TreeNode) operand {
	all, names := s.rulesBelow(ref, path, node, "a name that is computed among names of rules")
	to := s.reg(anyKind)
	if !s.hasUnbound(ref[i]) {
		s.add(&choice{s.value(ref[i]), all, &s.branch.regs, to})
		return s.along(reg(to), ref[i+1:])
	}
	each := &choices{names: names, rules: all, regs: &s.branch.regs, key: s.reg(textKinds), value: to}
	s.ops = append(s.ops, op{each: each})
	s.unify(ref[i], reg(each.key))
	return s.along(reg(to), ref[i+1:])
}

// together lowers a reference to a path below which there are rules: an object of those
// that have a value.
func (s *body) together(ref ast.Ref, path []Value, node *ast.TreeNode) operand {
	all, names := s.rulesBelow(ref, path, node, "a whole package")
	o := &together{names: names, rules: all, regs: &s.branch.regs, to: s.reg(objectKinds)}
	s.add(o)
	return reg(o.to)
}

// rulesBelow returns the rules right below a path, and their names in order. It refuses
// what is below it besides: data, functions, and paths of more rules.
func (s *body) rulesBelow(ref ast.Ref, path []Value, node *ast.TreeNode, what string) (map[string]*ruleset, []string) {
	refuse := func(why string) { s.l.unsupported("%s: %s%s", ref, what, why) }
	if node == nil || s.l.dataAt(path).k != undefined {
		refuse(" with data")
	}
	all := make(map[string]*ruleset)
	var names []string
	for _, key := range node.Sorted {
		child := node.Children[key]
		name, ok := key.(ast.String)
		if !ok || child.Hide || len(child.Values) == 0 || len(child.Children) > 0 {
			refuse(" with more below")
		}
		full := append(append([]Value(nil), path...), textValue(string(name)))
		r := s.l.ruleset(plain(ref[:1], full))
		if r.args >= 0 || s.l.isPackage(full) {
			refuse(", of which one is no rule")
		}
		s.facts.raises = s.facts.raises || r.raise
		all[string(name)], names = r, append(names, string(name))
	}
	if s.l.hasPackages(path, all) {
		refuse(" with packages below")
	}
	return all, names
}

// hasPackages reports whether there are packages below a path that are no rules of it.
func (l *lowerer) hasPackages(path []Value, rules map[string]*ruleset) bool {
	node := l.compiler.ModuleTree.Children[ast.DefaultRootDocument.Value]
	for _, key := range path {
		if node == nil {
			return false
		}
		node = node.Children[toAST(key)]
	}
	if node == nil {
		return false
	}
	for key := range node.Children {
		if name, ok := key.(ast.String); !ok || rules[string(name)] == nil {
			return true
		}
	}
	return false
}

// choice sets a variable to the value of the rule that a key names.
type choice struct {
	key   operand
	rules map[string]*ruleset
	regs  *int32 // of the caller, known when its body is lowered
	to    int32
}

func (o *choice) holds(f *frame) bool {
	key := f.get(&o.key)
	if key.k != text {
		return false
	}
	r := o.rules[key.string()]
	return r != nil && f.put(o.to, r.value(f, *o.regs))
}

// choices runs the rest for each of several rules that has a value.
type choices struct {
	names      []string
	rules      map[string]*ruleset
	regs       *int32
	key, value int32
}

func (o *choices) run(f *frame, rest []op, s sink) bool {
	for _, name := range o.names {
		f.step()
		v := o.rules[name].value(f, *o.regs)
		if v.k == undefined {
			continue
		}
		f.set(o.key, textValue(name))
		f.set(o.value, v)
		if f.exec(rest, s) {
			return true
		}
	}
	return false
}

// together sets a variable to an object of the rules that have a value.
type together struct {
	names []string // in order
	rules map[string]*ruleset
	regs  *int32
	to    int32
}

func (o *together) holds(f *frame) bool {
	made := &Object{keys: make([]Value, 0, len(o.names)), values: make([]Value, 0, len(o.names))}
	for _, name := range o.names {
		f.step()
		if v := o.rules[name].value(f, *o.regs); v.k != undefined {
			made.keys, made.values = append(made.keys, textValue(name)), append(made.values, v)
		}
	}
	f.set(o.to, objectValue(made))
	return true
}
