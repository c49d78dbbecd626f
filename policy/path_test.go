// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"slices"
	"testing"

	"github.com/otelplat/platform/policy"
)

func TestAPathNamesWhatIsNoNameInBrackets(t *testing.T) {
	engine, err := policy.Open(t.Context(), policy.Static("b", map[string]string{"b.rego": `package b
redact["card-number"] := {"x": 1} if input.a == 1
redact.plain := 2
redact["a\"]\u0001."] := 3
computed[k] := 1 if some k in ["x"]
computed.y := 2
deep.a.b := 1
`}))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	s := engine.Snapshot()
	keys, ok := s.Below("b.redact")
	if want := []string{"a\"]\x01.", "card-number", "plain"}; !ok || !slices.Equal(keys, want) {
		t.Fatalf("below redact are %q (%v), expected %q", keys, ok, want)
	}
	for _, path := range []string{"b.computed", "b.deep"} {
		if keys, ok := s.Below(path); ok {
			t.Errorf("below %s are %q, expected that it cannot be told", path, keys)
		}
	}
	if keys, ok := s.Below("b.none"); !ok || keys != nil {
		t.Errorf("below nothing are %q (%v)", keys, ok)
	}
	for _, key := range keys {
		path := policy.Path("b", "redact", key)
		if !s.Has(path) || s.Program(path) == nil {
			t.Errorf("%s is no rule, or not lowered", path)
		}
		value, defined, err := s.Eval(t.Context(), path, map[string]any{"a": 1})
		if err != nil || !defined || value == nil {
			t.Errorf("%s is %v, %v: %v", path, value, defined, err)
		}
	}
	if parts := s.Inputs(policy.Path("b", "redact", "card-number")); len(parts) != 1 || !slices.Equal(parts[0], []string{"a"}) {
		t.Errorf("it can depend on %v, expected input.a", parts)
	}
	for _, path := range []string{"", ".", "b.", "b..c", "b[", `b["x"`, `["x"]`, `b["x"]c`, "b c", `b['x']`, "b.1"} {
		if s.Has(path) {
			t.Errorf("%q is taken for a path", path)
		}
		if _, _, err := s.Eval(t.Context(), path, nil); err == nil {
			t.Errorf("%q is evaluated", path)
		}
	}
}
