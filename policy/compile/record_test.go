// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy/compile"
)

// askRecords asks for an input whose objects, the outermost and those in it, are
// records, and for one whose outermost is, after another input in the same record.
func askRecords(t *testing.T, p *compile.Program, input any) (fresh, again answer, surprised bool) {
	t.Helper()
	v, err := recordsOf(input)
	if err == nil {
		fresh, err = valueOf(p, v)
	}
	m, isMap := input.(map[string]any)
	again = fresh
	if err == nil && isMap {
		content := map[string]any{"input": "x", "a": []any{1, "b"}}
		root := &compile.Record{
			Member: func(name string) compile.Value {
				if x, ok := content[name]; ok {
					return compile.Of(x)
				}
				return compile.Value{}
			},
			Names: func() []string { return slices.Collect(maps.Keys(content)) },
		}
		var r compile.Result
		if r, err = p.Begin(root.Value()); err == nil {
			_, _ = r.Value(0) // a surprise leaves nothing behind
			content = m
			if v, err = r.Again(0); err == nil {
				again.defined = v.IsDefined()
				again.value, err = v.Interface()
			}
			r.Close()
		}
	}
	if err != nil && !errors.As(err, new(*compile.SurpriseError)) {
		t.Fatal(err)
	}
	return fresh, again, err != nil
}

func valueOf(p *compile.Program, input compile.Value) (a answer, err error) {
	a.value, a.defined, err = p.Eval(input)
	return a, err
}

// recordsOf makes records of maps, but for those in lists.
func recordsOf(x any) (v compile.Value, err error) {
	defer func() {
		if r := recover(); r != nil { // Of does not take it: Begin would say so
			err = &compile.SurpriseError{Reason: "not a value"}
		}
	}()
	m, ok := x.(map[string]any)
	if !ok {
		return compile.Of(x), nil
	}
	r := &compile.Record{
		Member: func(name string) compile.Value {
			x, ok := m[name]
			if !ok {
				return compile.Value{}
			}
			if inner, ok := x.(map[string]any); ok {
				v, _ := recordsOf(inner)
				return v
			}
			return compile.Of(x)
		},
		Names: func() []string {
			var names []string
			for name := range m {
				names = append(names, name)
			}
			return append(names, "a name without a value")
		},
	}
	if _, has := m["a name without a value"]; has {
		r.Names = func() []string { return nil }
	}
	return r.Value(), nil
}

func TestOneEvaluationAfterAnotherAllocatesNothing(t *testing.T) {
	if race {
		t.Skip("the race detector allocates; it runs without it")
	}
	s := policyText{name: "records", text: `package p
noise contains "a" if input.item.name == "a"
noise contains "many" if { input.item.name == "b"; input.item.count < 5 }
noise contains "x" if { input.item.name == "b"; input.item.kind == "server"; input.item.count > 500 }
noise contains "y" if startswith(input.item.name, "health")`}.compile(t)
	program, err := compile.Lower(s.compiler, s.data, ast.MustParseRef("data.p.noise"))
	if err != nil {
		t.Fatal(err)
	}
	count := int64(7)
	item := &compile.Record{Member: func(name string) compile.Value {
		switch name {
		case "name":
			return compile.Text("b")
		case "count":
			return compile.Integer(count)
		}
		return compile.Value{}
	}}
	root := (&compile.Record{Member: func(name string) compile.Value {
		if name == "item" {
			return item.Value()
		}
		return compile.Value{}
	}}).Value()
	r, err := program.Begin(root)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := testing.AllocsPerRun(1000, func() {
		if v, err := r.Again(0); err != nil || !v.IsEmptySet() {
			t.Fatal(v, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	count = 3
	if v, err := r.Again(0); err != nil || v.IsEmptySet() {
		t.Error("the rule of few should hold", err)
	}
}
