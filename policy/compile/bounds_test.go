// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestLoweringEndsAtItsBoundsAndSaysWhich(t *testing.T) {
	var text strings.Builder
	text.WriteString("package p\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "\nallow if input.x == %d\n", i)
	}
	compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": text.String()}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
	if err != nil {
		t.Fatal(err)
	}
	paths := []ast.Ref{ast.MustParseRef("data.p.allow")}
	for says, b := range map[string]bounds{"more than 0 MiB": {time.Minute, 100_000}, "takes more than -1s": {-time.Second, MaxMemory}} {
		var u *UnsupportedError
		if _, err := b.lower(compiler, nil, paths); !errors.As(err, &u) || !u.Bound || !strings.Contains(u.Reason, says) {
			t.Errorf("%+v: %v", b, err)
		}
	}
	if _, err := (bounds{time.Minute, MaxMemory}).lower(compiler, nil, paths); err != nil {
		t.Error(err)
	}
}

// A number that a request names must not be work without end, nor memory.
func TestABuiltinThatWorksWithoutEndIsASurprise(t *testing.T) {
	compiler := ast.MustCompileModules(map[string]string{"p.rego": "package p\n\nimport rego.v1\n\nn := count(numbers.range(1, input.n))\n"})
	p, err := Lower(compiler, nil, ast.MustParseRef("data.p.n"))
	if err != nil {
		t.Fatal(err)
	}
	if v, _, err := p.Eval(map[string]any{"n": 100}); err != nil || fmt.Sprint(v) != "100" {
		t.Errorf("%v %v", v, err)
	}
	began := time.Now()
	if _, _, err := p.Eval(map[string]any{"n": 1_000_000_000_000}); !errors.As(err, new(*SurpriseError)) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestAnEvaluationThatTakesLongInFewStepsIsASurprise(t *testing.T) {
	compiler := ast.MustCompileModules(map[string]string{"p.rego": "package p\n\nimport rego.v1\n\nn := count([1 | some x in input.l; contains(input.s, sprintf(\"%vb\", [x]))])\n"})
	p, err := Lower(compiler, nil, ast.MustParseRef("data.p.n"))
	if err != nil {
		t.Fatal(err)
	}
	list := make([]any, 100_000)
	for i := range list {
		list[i] = strings.Repeat("a", 20)
	}
	began := time.Now()
	if _, _, err := p.Eval(map[string]any{"l": list, "s": strings.Repeat("a", 1<<20)}); !errors.As(err, new(*SurpriseError)) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestAnEvaluationThatLooksAtTooMuchIsASurprise(t *testing.T) {
	compiler := ast.MustCompileModules(map[string]string{"p.rego": "package p\n\nimport rego.v1\n\nn := count({[x, y] | some x in input.l; some y in input.l})\n"})
	p, err := Lower(compiler, nil, ast.MustParseRef("data.p.n"))
	if err != nil {
		t.Fatal(err)
	}
	list := make([]any, 400) // 160,000 pairs
	for i := range list {
		list[i] = i
	}
	if _, _, err := p.Eval(map[string]any{"l": list}); !errors.As(err, new(*SurpriseError)) {
		t.Errorf("%v", err)
	}
	// The frame is used again, and knows nothing of it.
	if v, _, err := p.Eval(map[string]any{"l": list[:3]}); err != nil || fmt.Sprint(v) != "9" {
		t.Errorf("%v %v", v, err)
	}
}

// Work that grows faster than the input: paths and sets of a value that is nested deep,
// comparisons of all that is in it, and texts and lists made of themselves.
func TestWhatGrowsFasterThanItsInputIsASurprise(t *testing.T) {
	nested := func(depth int, in func(any) any) (x any) {
		for x = "x"; depth > 0; depth-- {
			x = in(x)
		}
		return x
	}
	list := func(x any) any { return []any{x} }
	object := func(x any) any { return map[string]any{"a": x} }
	doubled := func(join, end string) string {
		var b strings.Builder
		b.WriteString("n := x if {\n\tx0 := input.l\n")
		for i := range 40 {
			fmt.Fprintf(&b, "\tx%d := "+join+"\n", i+1, i, i)
		}
		return b.String() + "\tx := count(" + end + ")\n}"
	}
	many := make([]any, 500_000)
	for i := range many {
		many[i] = "some text"
	}
	for what, c := range map[string]struct {
		rego  string
		input any
	}{
		"paths":                       {"n := count([p | walk(input.l, [p, _])])", nested(5000, list)},
		"sets of objects":             {"n := count({v | walk(input.l, [_, v])})", nested(9000, object)},
		"sets of lists":               {"n := count({v | walk(input.l, [_, v])})", nested(9000, list)},
		"a partial set":               {"n contains v if walk(input.l, [_, v])", nested(2000, object)},
		"keys":                        {"n := count({v: 1 | walk(input.l, [_, v])})", nested(2000, object)},
		"equality":                    {"n if walk(input.l, [_, [input.l]])", nested(2000, list)},
		"differences":                 {"n if { walk(input.l, [_, v]); v != input.l; false }", nested(5000, object)},
		"order":                       {"n if { walk(input.l, [_, v]); v > input.l }", nested(5000, object)},
		"texts of texts":              {doubled(`$"{x%d}{x%d}"`, "x40"), "some text"},
		"a text of lists of lists":    {doubled(`[x%d, x%d]`, `$"{x40}"`), "some text"},
		"a text of a list in another": {`n := $"{input.l}"`, map[string]any{"x": many}},
		"a text of what is nested":    {`n := $"{input.l}"`, nested(200_000, list)},
	} {
		t.Run(what, func(t *testing.T) {
			compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": "package p\n\n" + c.rego + "\n"}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
			if err != nil {
				t.Fatal(err)
			}
			p, err := Lower(compiler, nil, ast.MustParseRef("data.p.n"))
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			v, _, err := p.Eval(map[string]any{"l": c.input})
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			made := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%v, %d MiB", took, made)
			if !errors.As(err, new(*SurpriseError)) {
				t.Errorf("%v %v", v, err)
			}
			if took > 2*time.Second || made > 64 { // 20 ms, on a machine that does other things too
				t.Error("too much before it ended")
			}
		})
	}
}
