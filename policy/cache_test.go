// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/otelplat/platform/policy"
)

// kept are policies that OPA evaluates, because of their use of with, and whose decisions
// are kept: each reads other parts of the request.
var kept = map[string]string{
	"one path": `allow if x with data.y as 1

x if input.subject.id == "ann"`,
	"types": `allow if x with data.y as 1

x if input.resource.properties.v == 1

reasons contains sprintf("%v", [input.resource.properties.v]) if is_number(input.resource.properties.v)`,
	"a whole map": `allow if x with data.y as 1

x if { some k, v in input.resource.properties; k == v }

reasons contains k if input.resource.properties[k]`,
	"a computed key": `allow if x with data.y as 1

x if input.resource.properties[input.action.name]`,
	"absent and null": `allow if x with data.y as 1

x if not input.context.a

deny contains "null" if input.context.a == null`,
	"lists": `allow if x with data.y as 1

x if input.subject.properties.roles[_] == input.resource.properties.v

obligations contains r if some r in input.subject.properties.roles`,
	"errors": `allow if x with data.y as 1

x if startswith(input.resource.properties.v, "a")`,
}

// TestKeptDecisionsAreOPAs asks each request twice and more, in any order: what is kept
// for an equal request is what OPA says to this one.
func TestKeptDecisionsAreOPAs(t *testing.T) {
	values := []any{
		nil, true, false, 0, 1, 1.0, json.Number("1.0"), json.Number("1e0"), -1, 0.5, "", "1", "a", "ab", "null", "true", "v",
		[]any{}, []any{"a"}, []any{"a", "b"}, []any{[]any{"a"}, "b"}, []string{"a", "b"}, map[string]any{}, map[string]any{"a": "a"}, map[string]any{"v": nil},
	}
	rnd := rand.New(rand.NewPCG(9, 9))
	pick := func() any { return values[rnd.IntN(len(values))] }
	properties := func(names ...string) map[string]any {
		if rnd.IntN(6) == 0 {
			return nil
		}
		m := map[string]any{}
		for _, n := range names {
			if rnd.IntN(3) > 0 {
				m[n] = pick()
			}
		}
		return m
	}
	words := []string{"ann", "a", "v", "ab", "", "roles"}
	for name, rules := range kept {
		t.Run(name, func(t *testing.T) {
			e := open(t, map[string]string{"p.rego": "package p\n\ndefault allow := false\n\n" + rules + "\n"}, policy.WithTimeout(patience))
			s := e.Snapshot()
			if s == nil {
				t.Fatal(e.Status().Err)
			}
			if x, err := s.Explain(t.Context(), "p"); err != nil || x.Path != policy.PathCached {
				t.Fatalf("%+v %v", x, err)
			}
			hits, answers := 0, make(map[string]bool)
			for range 3000 {
				in := policy.Input{
					Subject:  policy.Entity{Type: "user", ID: words[rnd.IntN(len(words))], Properties: properties("roles", "x")},
					Action:   policy.Action{Name: words[rnd.IntN(len(words))]},
					Resource: policy.Entity{Type: "r", ID: words[rnd.IntN(len(words))], Properties: properties("v", "a", "ab")},
					Context:  properties("a"),
				}
				got, err1 := e.Decide(t.Context(), "p", in)
				want, err2 := s.DecideByOPA(t.Context(), "p", in)
				for again := 0; errors.Is(err2, policy.ErrTimeout) && again < 10; again++ { // the machine's
					want, err2 = s.DecideByOPA(t.Context(), "p", in)
				}
				if got.Cached {
					hits++
				}
				if (err1 == nil) != (err2 == nil) || got.Allow != want.Allow || got.Outcome != want.Outcome || got.Rule != want.Rule ||
					!reflect.DeepEqual(got.Rules, want.Rules) || !reflect.DeepEqual(got.Reasons, want.Reasons) || !reflect.DeepEqual(got.Obligations, want.Obligations) {
					text, _ := json.Marshal(in)
					t.Fatalf("%s (kept: %v)\n got  %+v %v\n want %+v %v", text, got.Cached, got, err1, want, err2)
				}
				answers[fmt.Sprint(got.Allow, got.Outcome)] = true
			}
			if hits == 0 || len(answers) < 2 {
				t.Errorf("%d of 3000 were kept, answers %v", hits, answers)
			}
		})
	}
}
