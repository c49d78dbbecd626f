// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy/compile"
)

// TestAnIndexFindsWhatATrialOfAllWouldFind asks sets of many rules, with conditions of all
// kinds over a few short values so that they overlap, for all of which hold.
func TestAnIndexFindsWhatATrialOfAllWouldFind(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	word := func() string { return strings.Repeat("a", rnd.IntN(3)) + strings.Repeat("b", rnd.IntN(3)) }
	field := func() string { return "input." + string(rune('p'+rnd.IntN(3))) }
	for round := range 30 {
		var text strings.Builder
		text.WriteString("package p\n")
		vars := 0
		for i := range 40 + rnd.IntN(200) {
			fmt.Fprintf(&text, "hit contains %d if {\n", i)
			for range 1 + rnd.IntN(3) {
				switch rnd.IntN(9) {
				case 0:
					fmt.Fprintf(&text, "\t%s == %q\n", field(), word())
				case 1:
					fmt.Fprintf(&text, "\t%q in input.list\n", word())
				case 2:
					fmt.Fprintf(&text, "\tstartswith(%s, %q)\n", field(), word())
				case 3:
					fmt.Fprintf(&text, "\tcontains(%s, %q)\n", field(), word())
				case 4:
					fmt.Fprintf(&text, "\tendswith(%s, %q)\n", field(), word())
				case 5:
					fmt.Fprintf(&text, "\tinput.n %s %d\n", []string{">", ">=", "<", "<="}[rnd.IntN(4)], rnd.IntN(6))
				case 6:
					fmt.Fprintf(&text, "\t%s in {%q, %q, %d}\n", field(), word(), word(), rnd.IntN(3))
				case 7:
					vars++
					fmt.Fprintf(&text, "\tsome v%d in input.list\n\tv%d in {%q, %q}\n", vars, vars, word(), word())
				case 8:
					fmt.Fprintf(&text, "\tinput.n == %d\n", rnd.IntN(6))
				}
			}
			text.WriteString("}\n")
		}
		compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": text.String()}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
		if err != nil {
			t.Fatal(err)
		}
		s := newSubject(t, compiler, nil)
		p, refused := lower(t, s, ast.MustParseRef("data.p.hit"))
		if refused != nil {
			t.Fatal(refused)
		}
		o := s.oracle(t, "data.p.hit", true)
		for range 100 {
			list := make([]any, rnd.IntN(3))
			for i := range list {
				list[i] = word()
			}
			in := map[string]any{"p": word(), "q": word(), "r": word(), "n": rnd.IntN(7), "list": list}
			if rnd.IntN(5) == 0 {
				delete(in, "q")
			}
			got, surprised := ask(t, p, in)
			if surprised {
				t.Fatalf("a surprise on %v", in)
			}
			if want := o.ask(ast.MustInterfaceToValue(in)); !got.equal(want) {
				t.Fatalf("round %d: %v\n got  %v\n want %v\n%s", round, in, got.value, want.value, text.String())
			}
		}
	}
}

// TestTheCostDoesNotGrowWithTheRules counts what an index comes to, which time on a busy
// machine would only guess.
func TestTheCostDoesNotGrowWithTheRules(t *testing.T) {
	for _, kind := range []string{"==", "startswith", "contains", "in"} {
		var text strings.Builder
		text.WriteString("package p\n\ndefault allow := false\n")
		for i := range 10_000 {
			c := map[string]string{"==": `input.x == "%d;"`, "startswith": `startswith(input.x, "%d;")`, "contains": `contains(input.x, "%d;")`, "in": `"%d;" in input.x`}[kind]
			fmt.Fprintf(&text, "\nallow if {\n\t"+c+"\n\tinput.y == %d\n}\n", i, i)
		}
		compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": text.String()}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := compile.Lower(compiler, nil, ast.MustParseRef("data.p.allow"))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rules() {
			if len(r.Indexed) == 0 || r.InOrder {
				t.Fatalf("%s: %v is not indexed", kind, r)
			}
		}
	}
}

func TestWhatIsRefusedSaysWhereAndWhy(t *testing.T) {
	for rego, says := range map[string]string{
		"package p\n\nallow if data.p.x with input as 1\n\nx := 1": "p.rego:3: with",
		"package p\n\nallow if walk(input)":                        "p.rego:3: walk without a pattern",
		"package p\n\nallow if count(q) > 0\n\nq.r.s := 1":         "p.rego:3: data.p.q: a whole package with more below",
		"package p\n\nallow if count(data.p) > 0 with data.x as 1": "p.rego:3:",
		"package p\n\nallow if time.now_ns() > 1":                  "builtin time.now_ns",
	} {
		compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": rego}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
		if err != nil {
			continue // recursion, in OPA's eyes
		}
		var u *compile.UnsupportedError
		if _, err := compile.Lower(compiler, nil, ast.MustParseRef("data.p.allow")); !errors.As(err, &u) || !strings.Contains(err.Error(), says) || u.Bound {
			t.Errorf("%v, want %q", err, says)
		}
	}
	compiler := ast.MustCompileModules(map[string]string{"p.rego": "package p\n\nallow if input.x"})
	if _, err := compile.Lower(compiler, nil, ast.MustParseRef("data.p.nothing")); err == nil {
		t.Error("a rule that is not there is lowered")
	}
}
