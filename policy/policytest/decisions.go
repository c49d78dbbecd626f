// SPDX-License-Identifier: Apache-2.0

package policytest

import (
	"context"
	"io/fs"
	"slices"
	"testing"

	"github.com/otelplat/platform/policy"
)

// Case is a request, and the decision that a policy has to come to.
type Case struct {
	Input policy.Input
	Allow bool
	Rule  string   // that decides; "" for any
	Says  []string // the reasons, in order; nil for any
}

// Decisions holds policies to what is expected of them, case by case, by name: the
// entrypoint of the files is asked as an engine would be asked, and by OPA alone, which
// has to say the same. The files have to compile, and their own tests to pass.
//
//	//go:embed *.rego
//	var files embed.FS
//
//	policytest.Decisions(t, files, "shop.orders", map[string]policytest.Case{
//		"an owner cancels": {Input: policy.Input{...}, Allow: true},
//	})
func Decisions(t *testing.T, files fs.FS, entrypoint string, cases map[string]Case) {
	t.Helper()
	b, err := policy.Folder("test", files)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := policy.Build(files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Check(t.Context(), "test", archive); err != nil {
		t.Fatal(err)
	}
	s, err := policy.Compile(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for path, decide := range map[string]func(context.Context, string, policy.Input) (policy.Decision, error){
				"as an engine": s.Decide, "by OPA": s.DecideByOPA,
			} {
				d, err := decide(t.Context(), entrypoint, c.Input)
				switch {
				case err != nil:
					t.Errorf("%s: %v", path, err)
				case d.Allow != c.Allow:
					t.Errorf("%s: allow is %v by rule %s %v, reasons %v", path, d.Allow, d.Rule, d.Rules, d.Reasons)
				case c.Rule != "" && d.Rule != c.Rule:
					t.Errorf("%s: rule %s decides, not %s", path, d.Rule, c.Rule)
				case c.Says != nil && !slices.Equal(d.Reasons, c.Says):
					t.Errorf("%s: the reasons are %q, not %q", path, d.Reasons, c.Says)
				}
			}
		})
	}
}
