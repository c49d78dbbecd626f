// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/otelplat/platform/policy/compile"
)

// requests is a policy over the typed input, with its members as wholes too.
const requests = `package p

default allow := false

allow if {
	input.subject.type == "user"
	input.action.name in {"read", "list"}
	some role in input.subject.properties.roles
	role == input.resource.properties.role
}

allow if startswith(input.resource.id, "/public/")

allow if input.context.internal

deny contains "no-tenant" if not input.subject.properties.tenant

deny contains k if { some k, v in input.resource.properties; v == input.subject.id }

subject := input.subject

same if input.subject == input.resource

keys := [k | some k, _ in input]

in_entity if "user" in input.subject

whole := input

member := input[input.context.name]

nested := input.subject.properties.claims.aud[0]

odd := input.subject.type.x

odd2 := input.subject.name
`

// TestATypedInputIsTheDocumentThatItsJSONIs asks one policy of typed inputs and of the
// documents that they marshal to.
func TestATypedInputIsTheDocumentThatItsJSONIs(t *testing.T) {
	p := policyText{name: "typed", text: requests}
	s := p.compile(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	pick := func(list ...any) any { return list[rnd.IntN(len(list))] }
	text := func() string {
		return pick("user", "service", "read", "list", "/public/x", "alice", "", "admin", "subject", "context").(string)
	}
	properties := func() map[string]any {
		if rnd.IntN(4) == 0 {
			return nil
		}
		m := map[string]any{}
		for _, k := range []string{"roles", "role", "tenant", "claims", "owner", "internal", "name"} {
			if rnd.IntN(2) == 0 {
				m[k] = pick(text(), 3, json.Number("1.0"), true, nil, []any{"admin", text()}, []string{"admin"}, map[string]any{"aud": []any{text()}})
			}
		}
		return m
	}
	answers := make(map[string]bool)
	programs, oracles := make(map[string]*compile.Program), make(map[string]*oracle)
	all := paths(s.compiler)
	for _, path := range all {
		program, err := compile.Lower(s.compiler, s.data, path)
		if err != nil {
			t.Fatal(err)
		}
		programs[path.String()], oracles[path.String()] = program, s.oracle(t, path.String(), true)
	}
	for range 5000 {
		in := &compile.Input{
			Subject:  compile.Entity{Type: text(), ID: text(), Properties: properties()},
			Action:   compile.Action{Name: text(), Properties: properties()},
			Resource: compile.Entity{Type: text(), ID: text(), Properties: properties()},
			Context:  properties(),
		}
		raw, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := util.UnmarshalJSON(raw, &doc); err != nil {
			t.Fatal(err)
		}
		// An empty map is left out of the JSON, and is there in Go.
		for member, m := range map[string]map[string]any{"subject": in.Subject.Properties, "action": in.Action.Properties, "resource": in.Resource.Properties} {
			if m != nil {
				if part := doc.(map[string]any)[member].(map[string]any); part["properties"] == nil {
					part["properties"] = map[string]any{}
				}
			}
		}
		if in.Context != nil && doc.(map[string]any)["context"] == nil {
			doc.(map[string]any)["context"] = map[string]any{}
		}
		document := ast.MustInterfaceToValue(doc)
		for _, path := range all {
			want := oracles[path.String()].ask(document)
			value, defined, err := programs[path.String()].Eval(in)
			if errors.As(err, new(*compile.SurpriseError)) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			got := answer{value: value, defined: defined}
			if !got.equal(want) {
				t.Fatalf("%s of %s\n got  %#v\n want %#v", path, raw, got, want)
			}
			if b, ok := want.value.(bool); ok && b {
				answers[path.String()] = true
			}
		}
	}
	for _, path := range []string{"data.p.allow", "data.p.same", "data.p.in_entity"} {
		if !answers[path] {
			t.Errorf("%s was never true", path)
		}
	}
}

func TestAnEvaluationAllocatesNothing(t *testing.T) {
	if race {
		t.Skip("the race detector allocates; it runs without it")
	}
	s := policyText{name: "typed", text: requests}.compile(t)
	program, err := compile.Lower(s.compiler, s.data, ast.MustParseRef("data.p.allow"), ast.MustParseRef("data.p.deny"))
	if err != nil {
		t.Fatal(err)
	}
	in := &compile.Input{
		Subject:  compile.Entity{Type: "user", ID: "alice", Properties: map[string]any{"roles": []any{"a", "buyer"}, "tenant": "acme"}},
		Action:   compile.Action{Name: "read"},
		Resource: compile.Entity{Type: "order", ID: "17", Properties: map[string]any{"role": "buyer"}},
	}
	outputs, values := []int{0, 1}, make([]compile.Value, 2)
	if n := testing.AllocsPerRun(1000, func() {
		r, err := program.Values(in, outputs, values)
		if allow, _ := values[0].Bool(); err != nil || !allow || !values[1].IsEmptySet() {
			t.Fatal("denied", err)
		}
		r.Close()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
