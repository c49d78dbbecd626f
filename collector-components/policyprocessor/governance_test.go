// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/otelplat/platform/policy"
)

// TestThePoliciesOfTheDocumentationWork takes the Rego of docs/governance.md as it stands:
// each policy passes its own tests, all together make one bundle, and nothing of it needs
// OPA for an item.
func TestThePoliciesOfTheDocumentationWork(t *testing.T) {
	page, err := os.ReadFile("../../docs/governance.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for i, part := range strings.Split(string(page), "```") {
		if rego, ok := strings.CutPrefix(part, "rego\n"); i%2 == 1 && ok {
			blocks = append(blocks, rego)
		}
	}
	if len(blocks) != 20 {
		t.Fatalf("%d blocks of Rego, expected ten policies with their tests", len(blocks))
	}
	all := fstest.MapFS{}
	for i := 0; i < len(blocks); i += 2 {
		number := i/2 + 1
		one := fstest.MapFS{"policy.rego": {Data: []byte(blocks[i])}, "policy_test.rego": {Data: []byte(blocks[i+1])}}
		report, err := policy.CheckFolder(t.Context(), "telemetry", one)
		if err != nil {
			t.Errorf("policy %d: %v\n%+v", number, err, report)
		}
		all[fmt.Sprintf("policy%d.rego", number)] = &fstest.MapFile{Data: []byte(blocks[i])}
	}
	if _, err := policy.CheckFolder(t.Context(), "telemetry", all); err != nil {
		t.Fatalf("together: %v", err)
	}
	files := map[string]string{}
	for name, f := range all {
		files[name] = string(f.Data)
	}
	p := processorOn(t, ModeEnforce, "traces", files)
	book, err := newRulebook(p.engine.Snapshot(), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range book.list {
		if q.program == nil {
			t.Errorf("%s is left to OPA", q.path)
		}
		if q.fixed == nil && q.screen == nil {
			t.Logf("%s is evaluated for every item", q.path)
		}
	}
	if _, err := p.traces(t.Context(), one("a")); err != nil {
		t.Error(err)
	}
}
