// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// everything counts the rules of package system too.
var everything = ast.RulesOptions{IncludeHiddenModules: true}

// readsInput reports whether a rule, or one that it refers to, reads the input.
func (w *rewriter) readsInput(r *ast.Rule) bool {
	if known, ok := w.reads[r]; ok {
		return known
	}
	reads := false
	w.reads[r] = false // Rego has no recursion
	ast.WalkTerms(r, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Var:
			reads = reads || v.Equal(ast.InputRootDocument.Value)
		case ast.Ref:
			if len(v) > 0 && v[0].Equal(ast.DefaultRootDocument) {
				for _, other := range w.compiler.GetRulesDynamicWithOpts(v, everything) {
					reads = w.readsInput(other) || reads
				}
			}
		}
		return false
	})
	w.reads[r] = reads
	return reads
}

// keep notes that a rule is needed as it is, and so all that it refers to.
func (w *rewriter) keep(r *ast.Rule) {
	if w.kept[r] {
		return
	}
	w.kept[r] = true
	ast.WalkRefs(r, func(ref ast.Ref) bool {
		if ref[0].Equal(ast.DefaultRootDocument) {
			for _, other := range w.compiler.GetRulesDynamicWithOpts(ref, everything) {
				w.keep(other)
			}
		}
		return false
	})
}

// rulesAt returns the rules of a path that has none below it.
func (w *rewriter) rulesAt(path ast.Ref) []*ast.Rule {
	node := w.compiler.RuleTree
	for _, t := range path {
		if node = node.Child(t.Value); node == nil {
			w.refuse("there is no rule %s", path)
		}
	}
	if len(node.Values) == 0 || len(node.Children) > 0 {
		w.refuse("rules below %s", path)
	}
	return node.Values
}

// leads says what a reference into data leads to: rules that read the input, at the path
// of its first n keys, or others, that are kept.
func (w *rewriter) leads(ref ast.Ref) (n int, some, reading bool) {
	rules := w.compiler.GetRulesDynamicWithOpts(ref, everything)
	for _, r := range rules {
		reading = w.readsInput(r) || reading
	}
	if !reading {
		for _, r := range rules {
			w.keep(r)
		}
		return 0, len(rules) > 0, false
	}
	node := w.compiler.RuleTree
	for i, t := range ref {
		if node = node.Child(t.Value); node == nil {
			break
		}
		if len(node.Values) > 0 {
			return i + 1, true, true
		}
	}
	w.refuse("%s: rules of the input behind a name that is computed", ref)
	return 0, false, false
}

// function returns the name of the function of the row that the rules at a path become.
func (w *rewriter) function(path ast.Ref) ast.Ref {
	key := path.String()
	if name, ok := w.functions[key]; ok {
		return name
	}
	at := w.at
	defer func() { w.at = at }()
	name := w.fresh("rule")
	ref := append(append(ast.Ref{}, w.root...), ast.StringTerm(name))
	w.functions[key] = ref
	rules := w.rulesAt(path)
	form := w.formOf(rules[0])
	for _, r := range rules {
		if w.formOf(r) != form {
			w.refuse("rules of several kinds with one name")
		}
	}
	switch form {
	case Value:
		for _, r := range rules {
			w.rules = append(w.rules, w.valued(name, r))
		}
	case Set:
		w.rules = append(w.rules, w.wholeSet(name, rules))
	case Object:
		w.refuse("%s: an object whose keys are computed", path)
	}
	return ref
}

// valued makes a complete rule or a function, with all its else, a function of the row.
func (w *rewriter) valued(name string, r *ast.Rule) *ast.Rule {
	w.at = r.Location
	if r.Default && !ast.IsConstant(r.Head.Value.Value) {
		w.refuse("a default that is computed")
	}
	args := ast.Args{row}
	for _, a := range r.Head.Args {
		args = append(args, w.head(a))
	}
	made := &ast.Rule{
		Location: r.Location, Default: r.Default, Body: ast.NewBody(w.body(r.Body)...),
		Head: &ast.Head{Name: ast.Var(name), Reference: ast.Ref{ast.VarTerm(name)}, Args: args, Value: w.head(r.Head.Value), Assign: true},
	}
	if r.Else != nil {
		made.Else = w.valued(name, r.Else)
	}
	return made
}

// wholeSet makes a set a function of the row that returns all of it.
func (w *rewriter) wholeSet(name string, rules []*ast.Rule) *ast.Rule {
	var body []*ast.Expr
	var all *ast.Term
	for _, r := range rules {
		w.at = r.Location
		part := ast.VarTerm(w.fresh("part"))
		members := ast.SetComprehensionTerm(w.head(r.Head.Key), ast.NewBody(w.body(r.Body)...))
		body = append(body, ast.Equality.Expr(part, members))
		if all != nil {
			sum := ast.VarTerm(w.fresh("sum"))
			body = append(body, ast.Or.Expr(all, part, sum))
			part = sum
		}
		all = part
	}
	return &ast.Rule{
		Location: rules[0].Location, Body: ast.NewBody(body...),
		Head: &ast.Head{Name: ast.Var(name), Reference: ast.Ref{ast.VarTerm(name)}, Args: ast.Args{row}, Value: all, Assign: true},
	}
}
