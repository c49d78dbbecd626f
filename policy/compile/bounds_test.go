// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"errors"
	"fmt"
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
