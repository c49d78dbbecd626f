// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/otelplat/platform/policy/compile"
)

// TestOPAsOwnCases runs the evaluation tests that OPA's module holds: each rule that
// they define is lowered and gives OPA's answer, or is refused with a reason.
func TestOPAsOwnCases(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa").Output()
	if err != nil {
		t.Fatalf("where is OPA's module: %v", err)
	}
	set, err := cases.Load(filepath.Join(strings.TrimSpace(string(out)), "v1", "test", "cases", "testdata", "v1"))
	if err != nil {
		t.Fatal(err)
	}
	var rules, lowered, surprises int
	reasons := make(map[string]int)
	for _, c := range set.Sorted().Cases {
		modules := make(map[string]string)
		for i, m := range c.Modules {
			modules[fmt.Sprintf("test-%d.rego", i)] = m
		}
		compiler, err := ast.CompileModules(modules)
		if err != nil || len(modules) == 0 {
			continue // what OPA does not compile, no engine takes
		}
		for k, v := range c.Env {
			t.Setenv(k, v)
		}
		var data map[string]any
		if c.Data != nil {
			data = *c.Data
		}
		s := newSubject(t, compiler, data)
		input, document := compile.NoInput, ast.Value(nil)
		switch {
		case c.InputTerm != nil:
			term, err := ast.ParseTerm(*c.InputTerm)
			if err != nil || !term.IsGround() {
				continue
			}
			if input, err = ast.JSON(term.Value); err != nil {
				continue
			}
			document = ast.MustInterfaceToValue(input) // both see JSON
		case c.Input != nil:
			input, document = *c.Input, ast.MustInterfaceToValue(*c.Input)
		}
		for _, path := range paths(compiler) {
			rules++
			p, refused := lower(t, s, path)
			if refused != nil {
				reasons[refused.Reason]++
				continue
			}
			lowered++
			got, surprised := ask(t, p, input)
			if surprised {
				surprises++
				continue
			}
			if want := s.oracle(t, path.String(), true).ask(document); !got.equal(want) {
				t.Errorf("%s: %s:\n got  %#v\n want %#v\n%s\ninput %v", c.Note, path, got, want, strings.Join(c.Modules, "\n"), input)
			}
		}
	}
	t.Logf("%d rules, %d lowered (%.0f %%), of which %d left their input to OPA", rules, lowered, 100*float64(lowered)/float64(rules), surprises)
	for _, r := range sorted(reasons) {
		t.Logf("%5d  %s", reasons[r], r)
	}
	if lowered*10 < rules*6 {
		t.Errorf("only %d of %d rules are lowered", lowered, rules)
	}
}

// paths are those of all rules that are no functions.
func paths(c *ast.Compiler) []ast.Ref {
	var list []ast.Ref
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(keys(c.Modules)) {
		for _, r := range c.Modules[name].Rules {
			path := r.Ref().GroundPrefix()
			if len(r.Head.Args) == 0 && !seen[path.String()] {
				seen[path.String()] = true
				list = append(list, path)
			}
		}
	}
	return list
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func sorted(counts map[string]int) []string {
	names := slices.Collect(keys(counts))
	slices.SortFunc(names, func(a, b string) int { return counts[b] - counts[a] })
	return names
}
