// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Warning is what compiles, and yet may let somebody through who should not be.
type Warning struct {
	Rule string `json:"rule"` // of the check
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

func (w Warning) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)", w.File, w.Line, w.Text, w.Rule)
}

// Checks of [Lint].
const (
	LintDefault    = "missing-default"    // a rule allow without a default is undefined, not false
	LintOptional   = "not-on-optional"    // not input.x is true where x is absent
	LintEntrypoint = "unknown-entrypoint" // a package that is asked and is not there
	LintShape      = "entrypoint-shape"   // allow, deny, reasons or obligations of a form that every answer is denied for
)

// Lint looks for what goes wrong in policies that compile. Entrypoints are the packages
// that will be asked; without any, all with a rule allow are looked at.
func Lint(b Bundle, entrypoints ...string) ([]Warning, error) {
	modules, _, err := parse(b)
	if err != nil {
		return nil, err
	}
	var list []Warning
	found := make(map[string]bool)
	defaults := make(map[string]bool)
	allows := make(map[string]*ast.Rule)
	for name, m := range modules {
		if isTest(name) {
			continue
		}
		pkg := strings.TrimPrefix(m.Package.Path.String(), "data.")
		for _, r := range m.Rules {
			switch r.Head.Name.String() {
			case "allow":
				found[pkg] = true
				if r.Default || always(r) {
					defaults[pkg] = true
				} else if allows[pkg] == nil {
					allows[pkg] = r
				}
			case "deny":
				if r.Head.RuleKind() != ast.MultiValue && slices.Contains(entrypoints, pkg) {
					list = append(list, warn(LintShape, r, "deny is no set: write `deny contains \"name\" if ...`"))
				}
			}
			list = append(list, optional(r)...)
		}
	}
	for pkg, r := range allows {
		if !defaults[pkg] && (len(entrypoints) == 0 || slices.Contains(entrypoints, pkg)) {
			list = append(list, warn(LintDefault, r, pkg+".allow has no default: write `default allow := false`"))
		}
	}
	for _, e := range entrypoints {
		if !found[e] {
			list = append(list, Warning{Rule: LintEntrypoint, Text: fmt.Sprintf("no file has a rule %s.allow: everything would be denied", e)})
		}
	}
	slices.SortFunc(list, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return slices.Compact(list), nil
}

func always(r *ast.Rule) bool {
	return len(r.Body) == 1 && r.Body[0].Equal(ast.NewExpr(ast.BooleanTerm(true)))
}

func warn(rule string, r *ast.Rule, text string) Warning {
	return Warning{Rule: rule, File: r.Location.File, Line: r.Location.Row, Text: text}
}

// given are the members of an input that are always there.
var given = []string{"input.subject", "input.action", "input.resource", "input.subject.type", "input.subject.id", "input.action.name", "input.resource.type", "input.resource.id"}

// optional finds `not input.x` where nothing in the same body makes sure that x is
// there: the expression is true of whoever leaves it out.
func optional(r *ast.Rule) []Warning {
	var list []Warning
	ast.WalkBodies(r, func(body ast.Body) bool {
		present := make(map[string]bool)
		for _, e := range body {
			if !e.Negated {
				ast.WalkRefs(e, func(ref ast.Ref) bool {
					for i := range ref {
						present[ref[:i+1].String()] = true
					}
					return false
				})
			}
		}
		for _, e := range body {
			t, isTerm := e.Terms.(*ast.Term)
			if !e.Negated || !isTerm {
				continue
			}
			ref, isRef := t.Value.(ast.Ref)
			if !isRef || !ref[0].Equal(ast.InputRootDocument) || present[ref.String()] || slices.Contains(given, ref.String()) {
				continue
			}
			list = append(list, Warning{
				Rule: LintOptional, File: e.Location.File, Line: e.Location.Row,
				Text: fmt.Sprintf("`not %s` holds for whoever leaves it out: compare with `%s == false`, or make sure that it is there", ref, ref),
			})
		}
		return false
	})
	return list
}
