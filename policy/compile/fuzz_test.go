// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// FuzzPoliciesAndInputs changes policies and inputs: whatever OPA compiles is refused, or
// gives OPA's answer. Run it with `go test -fuzz FuzzPolicies ./policy/compile`.
func FuzzPoliciesAndInputs(f *testing.F) {
	for _, p := range corpus(f) {
		s := p.compile(f)
		g := newGenerator(s, 7)
		for range 2 {
			if text, err := json.Marshal(g.document()); err == nil {
				f.Add(p.text, text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, policy string, input []byte) {
		compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": policy}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
		if err != nil {
			return
		}
		var doc any
		if util.UnmarshalJSON(input, &doc) != nil {
			return
		}
		document, err := ast.InterfaceToValue(doc)
		if err != nil {
			return
		}
		s := newSubject(t, compiler, nil)
		for _, path := range paths(compiler) {
			program, refused := lower(t, s, path)
			if refused != nil {
				continue
			}
			got, surprised := ask(t, program, doc)
			if surprised {
				continue
			}
			if want := s.oracle(t, path.String(), true).ask(document); !got.equal(want) {
				t.Fatalf("%s\n got  %#v\n want %#v", path, got, want)
			}
		}
	})
}
