// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/metadata"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Names of the counters.
const (
	itemsMetric   = "otelcol_processor_policy_items"
	failedMetric  = "otelcol_processor_policy_rule_failures"
	refusedMetric = "otelcol_processor_policy_refused_batches"
	claimsMetric  = "otelcol_processor_policy_claims_items"
	matchesMetric = "otelcol_processor_policy_rule_matches"
	seenMetric    = "otelcol_processor_policy_seen_items"
)

// testbed is a processor on a policy that a test writes.
type testbed struct {
	*policyProcessor
	t         *testing.T
	source    *policy.Memory
	engine    *policy.Engine
	telemetry *componenttest.Telemetry
}

// processorOn returns a processor in a mode whose bundle has these files; none
// loads nothing.
func processorOn(t *testing.T, mode, signal string, files map[string]string) *testbed {
	t.Helper()
	source := policy.Static("telemetry", files)
	engine, err := policy.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) > 0 && engine.Snapshot() == nil {
		t.Fatal(engine.Status().Err)
	}
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() {
		engine.Close()
		tel.Shutdown(context.Background())
	})
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	cfg := defaultConfig().(*Config)
	cfg.Mode = mode
	p, err := newProcessor(set, cfg, signal)
	if err != nil {
		t.Fatal(err)
	}
	p.gate.engine.Store(engine)
	return &testbed{policyProcessor: p, t: t, source: source, engine: engine, telemetry: tel}
}

// counted returns the value of a counter for the attributes, "key=value" each.
func (b *testbed) counted(name string, attributes ...string) int64 {
	b.t.Helper()
	m, err := b.telemetry.GetMetric(name)
	if err != nil {
		return 0
	}
	total := int64(0)
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		matches := true
		for _, a := range attributes {
			k, v, _ := strings.Cut(a, "=")
			if got, ok := p.Attributes.Value(attribute.Key(k)); !ok || got.AsString() != v {
				matches = false
			}
		}
		if matches {
			total += p.Value
		}
	}
	return total
}

func (b *testbed) expectCount(want int64, name string, attributes ...string) {
	b.t.Helper()
	if got := b.counted(name, attributes...); got != want {
		b.t.Errorf("%s%v is %d, expected %d", name, attributes, got, want)
	}
}
