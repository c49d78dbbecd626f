// SPDX-License-Identifier: Apache-2.0

package policytest_test

import (
	"testing"
	"testing/fstest"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/policytest"
)

func TestDecisionsHoldAPolicyToWhatIsExpected(t *testing.T) {
	files := fstest.MapFS{"orders.rego": {Data: []byte(`package shop.orders

default allow := false

allow if input.action.name == "cancel"

deny contains "not-the-owner" if input.resource.properties.owner != input.subject.id

reasons contains "only the owner may" if count(deny) > 0
`)}}
	request := func(who string) policy.Input {
		return policy.Input{
			Subject: policy.Entity{Type: "user", ID: who}, Action: policy.Action{Name: "cancel"},
			Resource: policy.Entity{Type: "order", ID: "1", Properties: map[string]any{"owner": "ann"}},
		}
	}
	policytest.Decisions(t, files, "shop.orders", map[string]policytest.Case{
		"the owner cancels":      {Input: request("ann"), Allow: true, Rule: policy.RuleAllow},
		"somebody else does not": {Input: request("bob"), Rule: "not-the-owner", Says: []string{"only the owner may"}},
	})
}
