// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"reflect"
	"testing"

	"github.com/otelplat/platform/policy"
)

func TestInputsAreWhatAValueCanDependOn(t *testing.T) {
	engine, err := policy.Open(t.Context(), policy.Static("b", map[string]string{"a.rego": `package a

constant := {"a": 1}

names contains "x" if input.item.name == "x"

names contains "y" if helper

helper if input.item.attributes["http.route"] in data.a.routes

routes := {"/healthz"}

below if { input.item; input.item.name == "x" }

computed if { some key; input.item.attributes[key] == input.other }

nested if input.table[input.key.name]

whole if f(input)

f(x) if x.a == 1

called if g(input.arg)

g(x) if x == input.inside

local if { i := input.item; i.name == "x" }

otherwise := 1 if input.first == 1 else := 2 if input.second == 2

default fallback := false

fallback if input.fallback

replaced if constant with input as input.replacement

counted := count([x | some x in input.list])

headed[input.headed] := 1

everyone if every x in input.all { x == input.one }

interpolated := sprintf("%s", [input.text])
`, "b.rego": "package b.c\n\nr if data.a.helper\n\ndynamic if { some name; data.a[name] == 7 }\n"}))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	s := engine.Snapshot()
	if s == nil {
		t.Fatal(engine.Status().Err)
	}
	type parts = [][]string
	for path, want := range map[string]parts{
		"a.constant":     nil,
		"a.names":        {{"item", "attributes", "http.route"}, {"item", "name"}},
		"a.below":        {{"item"}},
		"a.computed":     {{"item", "attributes"}, {"other"}},
		"a.nested":       {{"key", "name"}, {"table"}},
		"a.whole":        {{}},
		"a.called":       {{"arg"}, {"inside"}},
		"a.local":        {{"item"}},
		"a.otherwise":    {{"first"}, {"second"}},
		"a.fallback":     {{"fallback"}},
		"a.counted":      {{"list"}},
		"a.headed":       {{"headed"}},
		"a.everyone":     {{"all"}, {"one"}},
		"a.interpolated": {{"text"}},
		"b.c.r":          {{"item", "attributes", "http.route"}},
		"b.c.dynamic":    {{}}, // it could be a.whole
		"b.c":            {{}},
		"nothing":        nil,
	} {
		if got := s.Inputs(path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s depends on %q, expected %q", path, got, want)
		}
	}
	// with replaces the input by a part of it; the whole is a safe answer too.
	if got := s.Inputs("a.replaced"); len(got) == 0 {
		t.Error("a.replaced depends on input.replacement")
	}
}
