// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
)

func TestLintFindsWhatCompilesAndLetsTooManyIn(t *testing.T) {
	b := policy.Bundle{Name: "b", Files: map[string]string{
		"a.rego": `package a

allow if not input.subject.properties.blocked

allow if { input.subject.properties.level; not input.subject.properties.level }

deny := true if not input.subject.id
`,
		"b.rego":      "package b\n\ndefault allow := false\n\nallow if every x in input.context.list { not input.context.skip; x }\n",
		"a_test.rego": "package a_test\n\ntest_x if not input.y\n",
	}}
	list, err := policy.Lint(b, "a", "b", "c")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range list {
		got = append(got, fmt.Sprintf("%s:%d %s", w.File, w.Line, w.Rule))
	}
	want := ":0 unknown-entrypoint, a.rego:3 missing-default, a.rego:3 not-on-optional, a.rego:7 entrypoint-shape, b.rego:5 not-on-optional"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	if list, err := policy.Lint(policy.Bundle{Name: "b", Files: map[string]string{"b.rego": "package b\n\ndefault allow := false\n"}}); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
}

func TestATestThatFailsShowsWhere(t *testing.T) {
	report, err := policy.Test(t.Context(), policy.Bundle{Name: "b", Files: map[string]string{
		"a.rego":      "package a\n\ndefault allow := false\n\nallow if input.x == 1\n\nallow if {\n\tinput.y == 2\n\tinput.z == 3\n}\n",
		"a_test.rego": "package a_test\n\nimport data.a\n\ntest_one if a.allow with input as {\"x\": 1}\n\ntest_two if a.allow with input as {\"x\": 2}\n\ntodo_test_three if false\n",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Tests) != 3 || report.Failed() != 1 || report.Coverage <= 0.3 || report.Coverage >= 1 {
		t.Fatalf("%+v", report)
	}
	one, two, three := report.Tests[0], report.Tests[1], report.Tests[2]
	if !one.Pass || one.Trace != "" || two.Pass || two.Line != 7 || !strings.Contains(two.Trace, "Fail") || !strings.Contains(two.Trace, "a.rego:3") || !three.Skipped {
		t.Errorf("%+v", report.Tests)
	}
	if missed := report.Missed["a.rego"]; fmt.Sprint(missed) != "[7 8 9]" {
		t.Errorf("no test evaluates lines %v, want 7 to 9", missed)
	}
}
