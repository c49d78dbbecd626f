// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/otelplat/platform/collector-components/components"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

func TestEventsAreLinesOfJSON(t *testing.T) {
	var out bytes.Buffer
	logger := components.Events(&out).Logger("the scope")
	var plain, event log.Record
	plain.SetBody(attribute.StringValue("no event"))
	logger.Emit(t.Context(), plain)
	event.SetEventName("otelplat.telemetry.govern")
	event.SetSeverity(log.SeverityWarn)
	event.AddAttributes(attribute.String("otelplat.telemetry.rule", "noise"), attribute.Int("otelplat.telemetry.items", 3))
	logger.Emit(t.Context(), event)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	for key, want := range map[string]any{
		"msg": "otelplat.telemetry.govern", "level": "WARN", "scope": "the scope", "otelplat.telemetry.rule": "noise", "otelplat.telemetry.items": 3.0,
	} {
		if line[key] != want {
			t.Errorf("%s is %v, expected %v", key, line[key], want)
		}
	}
}
