// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestWhatFailedIsLoggedWithoutTheData(t *testing.T) {
	p := processorOn(t, ModeEnforce, "logs", rules(`drop contains "n" if to_number(input.item.body) > 1
		redact["n"] := {"action": "mask", "fields": ["body"], "pattern": p} if p := sprintf("%d", [object.get(input.item.attributes, "user", 1) + 1])`))
	core, logs := observer.New(zap.DebugLevel)
	p.work.(*enforcer).log = zap.New(core)
	p.logs(t.Context(), records("4111111111111111x"))
	if logs.Len() != 2 {
		t.Fatalf("%d lines logged, expected one for each of the two rules", logs.Len())
	}
	for _, line := range logs.All() {
		text := fmt.Sprint(line.Message, line.ContextMap())
		if strings.Contains(text, "4111") || strings.Contains(text, "alice") {
			t.Errorf("the data is in the log: %s", text)
		}
		if !strings.Contains(text, "telemetry.rego:") {
			t.Errorf("%q should say where the rule is", text)
		}
	}
}
