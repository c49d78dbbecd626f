// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Inputs returns which parts of the input the value at a path of the bundle can
// depend on, each as the keys that lead to it: {"item", "name"} for
// input.item.name. A part without keys is the whole input; no parts mean that the
// value is the same for every input. A part stands for all that is below it, which
// is also what a rule that computes a key depends on.
//
// Policies are functions of bundle and input, so a caller may keep an answer of
// [Snapshot.Eval], if it was no error, for all inputs that agree in these parts.
func (s *Snapshot) Inputs(path string) [][]string {
	if !askable(path) {
		return nil // Eval answers nothing but an error there
	}
	d := dependencies{compiler: s.compiler, seen: make(map[*ast.Rule]bool)}
	d.rules(s.compiler.GetRulesDynamicWithOpts(ref(path), everything))
	return minimal(d.parts)
}

// everything counts the rules of package system too. Depending on too much is safe.
var everything = ast.RulesOptions{IncludeHiddenModules: true}

// dependencies walks rules, and the rules that these refer to, for references to
// the input.
type dependencies struct {
	compiler *ast.Compiler
	seen     map[*ast.Rule]bool
	parts    [][]string
}

func (d *dependencies) rules(list []*ast.Rule) {
	for _, r := range list {
		if d.seen[r] {
			continue
		}
		d.seen[r] = true
		ast.WalkTerms(r, d.term) // heads, bodies, else branches, comprehensions, with
	}
}

// term is a visitor: it says whether the term's own terms need no look.
func (d *dependencies) term(t *ast.Term) (done bool) {
	switch v := t.Value.(type) {
	case ast.Var:
		if v.Equal(ast.InputRootDocument.Value) {
			d.parts = append(d.parts, []string{})
		}
	case ast.Ref:
		return d.reference(v)
	}
	return false
}

// reference notes what a reference leads to. Its head is not looked at again: taken
// for itself, that of input.x is the whole input.
func (d *dependencies) reference(ref ast.Ref) (done bool) {
	switch {
	case len(ref) == 0:
		return true
	case ref[0].Equal(ast.DefaultRootDocument):
		d.rules(d.compiler.GetRulesDynamicWithOpts(ref, everything))
	case ref[0].Equal(ast.InputRootDocument):
		part := []string{}
		for _, t := range ref[1:] {
			key, ok := t.Value.(ast.String)
			if !ok {
				break // a computed key: everything that it could be
			}
			part = append(part, string(key))
		}
		d.parts = append(d.parts, part)
	default:
		return false
	}
	for _, t := range ref[1:] {
		ast.WalkTerms(t, d.term)
	}
	return true
}

// minimal sorts the parts and leaves out those that lie in another.
func minimal(parts [][]string) [][]string {
	slices.SortFunc(parts, func(a, b []string) int { return slices.Compare(a, b) })
	var kept [][]string
	for _, p := range parts {
		if n := len(kept); n > 0 && len(p) >= len(kept[n-1]) && slices.Equal(kept[n-1], p[:len(kept[n-1])]) {
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

// pure reports whether the value at a path is a function of bundle and input: no
// builtin that it can come to tells the time.
func (s *Snapshot) pure(path string) bool {
	d := dependencies{compiler: s.compiler, seen: make(map[*ast.Rule]bool)}
	d.rules(s.compiler.GetRulesDynamicWithOpts(ref(path), everything))
	for r := range d.seen {
		impure := false
		ast.WalkExprs(r, func(e *ast.Expr) bool {
			if e.IsCall() {
				b, ok := ast.BuiltinMap[e.Operator().String()]
				impure = impure || ok && b.Nondeterministic
			}
			return impure
		})
		if impure {
			return false
		}
	}
	return true
}
