// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy/compile"
)

// screened reports whether a program's screen tells that no body holds for an input.
func screened(p *compile.Program, input any) (told bool) {
	s := p.Screen(0)
	if s == nil {
		return false
	}
	defer func() {
		if recover() != nil { // a value that is left to OPA cannot even be made
			told = false
		}
	}()
	misses := func(look *compile.Look) bool {
		at := input
		for _, key := range look.Path {
			m, ok := at.(map[string]any)
			if !ok {
				return at == nil && look.Misses(compile.Value{}) // below what is no object OPA may find more
			}
			if at, ok = m[key]; !ok {
				return look.Misses(compile.Value{})
			}
		}
		return look.Misses(compile.Of(at))
	}
	for _, guard := range s.Guards {
		if !misses(guard) {
			return false
		}
	}
	return slices.ContainsFunc(s.Covers, func(cover []*compile.Look) bool {
		return !slices.ContainsFunc(cover, func(look *compile.Look) bool { return !misses(look) })
	})
}

// nothing reports whether an answer is what a rule says when no body holds.
func (a answer) nothing() bool {
	switch v := a.value.(type) {
	case []any:
		return a.defined && len(v) == 0
	case map[string]any:
		return a.defined && len(v) == 0
	}
	return !a.defined && !a.failed
}

func TestAScreenTellsWhatNoBodyHoldsFor(t *testing.T) {
	s := policyText{name: "screen", text: `package t
drop contains "probe" if { input.name == "GET /healthz"; input.code < 500 }
drop contains "debug" if input.level in {"debug", "trace"}
tag["x"] := 1 if startswith(input.name, "a")
tag["y"] := 2 if startswith(input.name, "b")
tag["z"] := 3 if startswith(input.name, "c")
route := "eu" if input.region == "eu"
always contains "x"
with_default := 1 if input.region == "eu"
default with_default := 0
`}.compile(t)
	expected := map[string]int{ // covers; 0: no screen
		"data.t.drop": 1, "data.t.tag.x": 1, "data.t.route": 1, "data.t.always": 0, "data.t.with_default": 0,
	}
	for path, want := range expected {
		program, refused := lower(t, s, ast.MustParseRef(path))
		if refused != nil {
			t.Fatal(refused)
		}
		covers := 0
		if screen := program.Screen(0); screen != nil {
			covers = len(screen.Covers)
		}
		if covers != want {
			t.Errorf("%s has %d covers, expected %d", path, covers, want)
		}
	}
	program, _ := lower(t, s, ast.MustParseRef("data.t.drop"))
	for _, test := range []struct {
		input map[string]any
		miss  bool
	}{
		{map[string]any{"name": "GET /orders", "level": "info"}, true},
		{map[string]any{}, true},
		{map[string]any{"name": "GET /healthz"}, false},
		{map[string]any{"name": 7, "level": []any{"debug"}}, true},
		{map[string]any{"name": "GET /orders", "level": "debug"}, false},
	} {
		if got := screened(program, test.input); got != test.miss {
			t.Errorf("%v is a miss: %v, expected %v", test.input, got, test.miss)
		}
	}
}

// BenchmarkScreen is a look at a text that none of the bodies asks for.
func BenchmarkScreen(b *testing.B) {
	for _, n := range []int{10, 1000} {
		text := "package t\n"
		for i := range n {
			text += fmt.Sprintf("drop contains \"%d\" if input.name == \"/healthz%d\"\n", i, i)
		}
		s := policyText{name: "screen", text: text}.compile(b)
		program, _ := lower(b, s, paths(s.compiler)[0])
		look := program.Screen(0).Covers[0][0]
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			v := compile.Text("/orders/42")
			b.ReportAllocs()
			for b.Loop() {
				if !look.Misses(v) {
					b.Fatal("it is none of them")
				}
			}
		})
	}
}
