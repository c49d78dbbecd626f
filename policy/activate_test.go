// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/otelplat/platform/policy"
)

// BenchmarkActivate measures how long a bundle takes from its files to its first
// decision, and how much memory it holds then: 10,000 rules beside OPA's own parser and
// compiler on the same text, and 50,000 pairs of role and permission in data.
func BenchmarkActivate(b *testing.B) {
	var rules strings.Builder
	rules.WriteString("package bench\n\ndefault allow := false\n")
	for i := range 10_000 {
		fmt.Fprintf(&rules, "\nallow if {\n\tinput.action.name == \"permission-%d\"\n\t\"role-%d\" in input.subject.properties.roles\n}\n", i, i%100)
	}
	grants := make(map[string]map[string]bool)
	for role := range 500 {
		m := make(map[string]bool)
		for p := range 100 {
			m[fmt.Sprintf("permission-%d", (role*7+p)%1000)] = true
		}
		grants[fmt.Sprintf("role-%d", role)] = m
	}
	data, err := json.Marshal(map[string]any{"grants": grants})
	if err != nil {
		b.Fatal(err)
	}
	lookup := "package bench\n\ndefault allow := false\n\nallow if {\n\tsome role in input.subject.properties.roles\n\tdata.grants[role][input.action.name]\n}\n"
	in := policy.Input{
		Subject: policy.Entity{Type: "user", ID: "a", Properties: map[string]any{"roles": []any{"role-10"}}},
		Action:  policy.Action{Name: "permission-110"},
	}
	decides := func(files map[string]string, allow bool) func(b *testing.B) any {
		return func(b *testing.B) any {
			e, err := policy.Open(b.Context(), policy.Static("bench", files), policy.WithEntrypoints("bench"))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { e.Close() })
			if d, err := e.Decide(b.Context(), "bench", in); d.Allow != allow || err != nil {
				b.Fatal(d, err, e.Status().Err)
			}
			return e
		}
	}
	for _, c := range []struct {
		name string
		open func(*testing.B) any
	}{
		{"rules=10000/opa", func(b *testing.B) any {
			m, err := ast.ParseModuleWithOpts("bench.rego", rules.String(), ast.ParserOptions{RegoVersion: ast.RegoV1})
			if err != nil {
				b.Fatal(err)
			}
			c := ast.NewCompiler().WithStrict(true)
			if c.Compile(map[string]*ast.Module{"bench.rego": m}); c.Failed() {
				b.Fatal(c.Errors)
			}
			return c
		}},
		{"rules=10000/otelplat", decides(map[string]string{"bench.rego": rules.String()}, true)},
		{"pairs=50000/json", func(b *testing.B) any {
			var x map[string]any
			if err := util.UnmarshalJSON(data, &x); err != nil {
				b.Fatal(err)
			}
			return x
		}},
		{"pairs=50000/otelplat", decides(map[string]string{"bench.rego": lookup, "data.json": string(data)}, true)},
	} {
		b.Run(c.name, func(b *testing.B) {
			before := live()
			var held []any
			for b.Loop() {
				held = append(held, c.open(b))
			}
			b.ReportMetric((live()-before)/float64(len(held))/1e6, "MB-live/op")
			runtime.KeepAlive(held)
		})
	}
}

// live is how many bytes are in use after a collection.
func live() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
