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

// Work that grows faster than the input: paths of a value that is nested deep, and texts made
// of texts.
func TestWhatGrowsFasterThanItsInputIsASurprise(t *testing.T) {
	var deep any = "x"
	for range 5000 {
		deep = []any{deep}
	}
	var doubled strings.Builder
	doubled.WriteString("n := x if {\n\tx0 := input.l\n")
	for i := range 40 {
		fmt.Fprintf(&doubled, "\tx%d := $\"{x%d}{x%d}\"\n", i+1, i, i)
	}
	doubled.WriteString("\tx := count(x40)\n}")
	for rego, input := range map[string]any{
		"n := count([p | walk(input.l, [p, _])])": deep,
		doubled.String(): "some text",
	} {
		compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": "package p\n\n" + rego + "\n"}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Lower(compiler, nil, ast.MustParseRef("data.p.n"))
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if v, _, err := p.Eval(map[string]any{"l": input}); !errors.As(err, new(*SurpriseError)) {
			t.Errorf("%v %v of %.40s", v, err, rego)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
			t.Errorf("%d bytes were made before it ended", after.TotalAlloc-before.TotalAlloc)
		}
	}
}
