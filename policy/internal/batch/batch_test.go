// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy/internal/batch"
)

// Answers are compared with OPA's in ../../compile/batch_test.go; these are the forms that
// rules take.
func TestRulesBecomeRulesOverRows(t *testing.T) {
	for name, test := range map[string]struct {
		rego string
		want []string
	}{
		"a column begins with the rows": {`r contains "x" if walk(input.a.b, [_, 1])`,
			[]string{`answers contains [__row__, "x"] if { `, ` = input[0][__row__]; walk(`}},
		"a body that begins otherwise is asked of each row": {`r if not input.a.b`,
			[]string{`answers contains [__row__, true] if { input[1][__row__]; not input[0][__row__] }`}},
		"what is below a column stays": {`r if input.a.b.c[_] > 1`,
			[]string{`input[0][__row__].c[`}},
		"a comparison is taken apart": {`r if input.a.b == 1`,
			[]string{`__cell1__ = input[0][__row__]; __cell1__ = 1 }`}},
		"a helper is a function": {"r if h\nh if input.a.b > 1",
			[]string{`input[1][__row__]; data.rows.__rule1__(`}},
		"what reads no input stays": {"r := input.a.b if h\nh if data.x > 1",
			[]string{`data.p.h`}},
	} {
		t.Run(name, func(t *testing.T) {
			c := ast.MustCompileModulesWithOpts(map[string]string{"a.rego": "package p\n" + test.rego},
				ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
			q, err := batch.Rewrite(c, ast.MustParseRef("data.p.r"), [][]string{{"a", "b"}}, "rows")
			if err != nil {
				t.Fatal(err)
			}
			got := q.Compiler.Modules["rows"].String()
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s\nexpected %s", got, want)
				}
			}
		})
	}
}
