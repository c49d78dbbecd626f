// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/compile"
)

// batched compiles a package p and asks for one of its rules in batches.
func batched(t *testing.T, rego, rule string, data ...string) (*policy.Snapshot, *policy.Batch, error) {
	t.Helper()
	files := map[string]string{"a.rego": "package p\n" + rego}
	for _, d := range data {
		files["data.json"] = d
	}
	s, err := policy.Compile(t.Context(), policy.Bundle{Name: "b", Files: files})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Batch(t.Context(), "p."+rule)
	return s, b, err
}

// row writes the answer to a row.
func row(a policy.Answer) string {
	switch {
	case a.Apart:
		return "apart"
	case !a.Defined:
		return "undefined"
	}
	return fmt.Sprint(a.Value)
}

// ask asks for the values of the input's field x, nil for one without.
func ask(t *testing.T, b *policy.Batch, x ...any) (rows []string) {
	t.Helper()
	column := make([]ast.Value, len(x))
	for i, v := range x {
		if v != nil {
			column[i] = ast.MustInterfaceToValue(v)
		}
	}
	answers, err := b.Eval(t.Context(), [][]ast.Value{column}, len(x))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		rows = append(rows, row(a))
	}
	return rows
}

func TestABatchHasAnAnswerForEachRow(t *testing.T) {
	for name, test := range map[string]struct{ rego, want string }{
		"a condition":             {`r if input.x == 1`, "[true undefined undefined undefined]"},
		"a value":                 {`r := input.x + 1`, "[2 3 4 undefined]"},
		"false is a value":        {`r := input.x > 1`, "[false true true undefined]"},
		"a default":               {"default r := 0\nr := input.x if input.x > 1", "[0 2 3 0]"},
		"else":                    {`r := "one" if { input.x == 1 } else := "two" if { input.x == 2 } else := "other"`, "[one two other other]"},
		"negation":                {`r if not input.x == 1`, "[undefined true true true]"},
		"a set":                   {"r contains input.x if input.x > 1\nr contains \"all\"", "[[all] [2 all] [3 all] [all]]"},
		"an object":               {`r[k] := v if { some k in ["a", "b"]; v := input.x }`, "[map[a:1 b:1] map[a:2 b:2] map[a:3 b:3] map[]]"},
		"a contradiction":         {"r := 1 if input.x > 1\nr := input.x if input.x > 0", "[1 apart apart undefined]"},
		"of an object":            {"r[k] := 1 if { some k in [\"a\"]; input.x > 1 }\nr[k] := input.x if some k in [\"a\"]", "[map[a:1] apart apart map[]]"},
		"keys that are no text":   {`r[input.x] := 1 if input.x > 1`, "[map[] apart apart map[]]"},
		"a helper":                {"h if input.x > 1\nr := [1] if h", "[undefined [1] [1] undefined]"},
		"a helper that is not":    {"h if input.x > 1\nr if not h", "[true undefined undefined true]"},
		"a helper's value":        {"h := {\"k\": input.x}\nr if h.k == 2", "[undefined true undefined undefined]"},
		"a helper's set":          {"h contains input.x\nh contains 3\nr := count(h)", "[2 2 1 1]"},
		"a function":              {"f(a) := a * input.x\nr := f(2)", "[2 4 6 undefined]"},
		"a comprehension":         {`r := [y | some y in [1, 2, 3]; y < input.x]`, "[[] [1] [1 2] []]"},
		"every":                   {`r if every y in [1, 2] { y <= input.x }`, "[undefined true true undefined]"},
		"data":                    {`r := data.names[input.x]`, "[b c undefined undefined]"},
		"rules without the input": {"h[n] := i if some i, n in data.names\nr if h[\"b\"] == input.x", "[true undefined undefined undefined]"},
		"walk":                    {`r contains v if walk({"k": [input.x]}, [["k", 0], v])`, "[[1] [2] [3] []]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, b, err := batched(t, test.rego, "r", `{"names": ["a", "b", "c"]}`)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(ask(t, b, 1, 2, 3, nil)); got != test.want {
				t.Errorf("%s, expected %s", got, test.want)
			}
		})
	}
}

func TestAnErrorOfOneRowIsOneOfTheBatch(t *testing.T) {
	_, b, err := batched(t, `r := 1 / input.x`, "r")
	if err != nil {
		t.Fatal(err)
	}
	column := []ast.Value{ast.Number("1"), ast.Number("0"), ast.Number("2")}
	if answers, err := b.Eval(t.Context(), [][]ast.Value{column}, 3); !errors.Is(err, policy.ErrBuiltin) || answers != nil {
		t.Errorf("%v, %v", answers, err)
	}
	if got := fmt.Sprint(ask(t, b, 1, 2)); got != "[1 0.5]" {
		t.Errorf("without the row that is an error: %s", got)
	}
}

// OPA knows beforehand that no row of these has what the first rule asks for last, and must
// not leave out what fails before that: for one input it would not.
func TestNoRowIsLeftOutByAnIndexOfTheBatch(t *testing.T) {
	_, b, err := batched(t, "r contains 1 if {\n\tto_number(input.x) > 1\n\tinput.x == \"7\"\n}\nr contains 2 if {\n\ty := \"8\"\n\tto_number(input.x) > 1\n\ty == input.x\n}", "r")
	if err != nil {
		t.Fatal(err)
	}
	column := []ast.Value{ast.String("1"), ast.String("none")}
	if answers, err := b.Eval(t.Context(), [][]ast.Value{column}, 2); !errors.Is(err, policy.ErrBuiltin) {
		t.Errorf("%v, %v", answers, err)
	}
}

func TestWhatCannotBeAskedInBatchesSaysWhy(t *testing.T) {
	for rego, want := range map[string]string{
		`r if count(input) > 1`:                            "all of the input",
		`r := 1`:                                           "does not read the input",
		"h if input.x\nr if h with input.x as 1":           "with",
		"h := input.x\ng := input.y\nr if h == g":          "two rules in one expression",
		"h := {\"k\": input.x}\nr if not h.k":              "negated",
		"h[k] := 1 if k := input.x\nr if h.a == 1":         "an object whose keys are computed",
		"a.b := input.x\na.c := 1\nr if a[input.y] == 1":   "a name that is computed",
		"a.b := input.x\nr := a":                           "a name that is computed",
		"r := {k | some k, v in data.names; v == input.x}": "",
	} {
		_, _, err := batched(t, rego, "r", `{"names": []}`)
		var refused *compile.UnsupportedError
		switch {
		case want == "" && err == nil:
		case !errors.As(err, &refused) || want == "" || !strings.Contains(refused.Reason, want):
			t.Errorf("%s: %v, expected a reason with %q", rego, err, want)
		}
	}
	s, _, _ := batched(t, "r if input.x", "r")
	if _, err := s.Batch(t.Context(), "p.none"); err == nil {
		t.Error("there is no such rule")
	}
	if _, err := s.Batch(t.Context(), "not a path"); err == nil {
		t.Error("that is no path")
	}
}

func TestABatchWhoseTimeIsUpEnds(t *testing.T) {
	_, b, err := batched(t, `r if { some i in numbers.range(0, 100000000); i == input.x }`, "r")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Eval(t.Context(), [][]ast.Value{{ast.Number("-1")}}, 1); !errors.Is(err, policy.ErrTimeout) {
		t.Errorf("%v", err)
	}
}

// TestPackagesOfTheBundleAreNotHidden has one of the name that a batch would take.
func TestPackagesOfTheBundleAreNotHidden(t *testing.T) {
	s, err := policy.Compile(t.Context(), policy.Bundle{Name: "b", Files: map[string]string{
		"a.rego": "package p\nr if data.rows0.answers == input.x", "b.rego": "package rows0\nanswers := 7", "data.json": `{"rows1": 1}`,
	}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Batch(t.Context(), "p.r")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ask(t, b, 7, 8)); got != "[true undefined]" {
		t.Error(got)
	}
}
