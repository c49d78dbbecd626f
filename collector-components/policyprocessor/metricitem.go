// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/setting"
	"github.com/otelplat/platform/policy/compile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

type metricItem struct{ pmetric.Metric }

var metricFields = []string{"description", "monotonic", "name", "temporality", "type", "unit"}

func (m *metricItem) names() []string                    { return metricFields }
func (m *metricItem) attributes() pcommon.Map            { return none }
func (m *metricItem) notes() pcommon.Map                 { return m.Metadata() }
func (m *metricItem) redact(r *redact.Set, counts []int) { r.Metric(m.Metric, counts) }
func (m *metricItem) assign(f *setting.Fields) int       { return f.Metric(m.Metric) }

// sample keeps every metric: a series of which one point in ten is there is no smaller
// series but a broken one.
func (m *metricItem) sample(uint64) (keep bool) { return true }

func (m *metricItem) value(name string) any {
	switch name {
	case "name":
		return m.Name()
	case "type":
		return metricType(m.Type())
	case "unit":
		return m.Unit()
	case "description":
		return m.Description()
	case "monotonic":
		return m.monotonic()
	case "temporality":
		return m.temporality()
	}
	return nil
}

// monotonic is true for a sum that says so, and for nothing else.
func (m *metricItem) monotonic() bool {
	return m.Type() == pmetric.MetricTypeSum && m.Sum().IsMonotonic()
}

// temporality is "delta", "cumulative", or "unspecified" for what has none.
func (m *metricItem) temporality() string {
	t := pmetric.AggregationTemporalityUnspecified
	switch m.Type() {
	case pmetric.MetricTypeSum:
		t = m.Sum().AggregationTemporality()
	case pmetric.MetricTypeHistogram:
		t = m.Histogram().AggregationTemporality()
	case pmetric.MetricTypeExponentialHistogram:
		t = m.ExponentialHistogram().AggregationTemporality()
	}
	switch t {
	case pmetric.AggregationTemporalityDelta:
		return "delta"
	case pmetric.AggregationTemporalityCumulative:
		return "cumulative"
	}
	return "unspecified"
}

func (m *metricItem) field(name string, key []byte) []byte {
	switch name {
	case "name":
		return appendText(key, m.Name())
	case "type":
		return append(key, byte(m.Type())) //nolint:gosec // a few
	case "unit":
		return appendText(key, m.Unit())
	case "description":
		return appendText(key, m.Description())
	case "monotonic":
		if m.monotonic() {
			return append(key, 1)
		}
		return append(key, 0)
	case "temporality":
		return appendText(key, m.temporality())
	}
	return key
}

func (m *metricItem) member(name string) compile.Value {
	switch name {
	case "name":
		return compile.Text(m.Name())
	case "type":
		return compile.Text(metricType(m.Type()))
	case "unit":
		return compile.Text(m.Unit())
	case "description":
		return compile.Text(m.Description())
	case "monotonic":
		return compile.Boolean(m.monotonic())
	case "temporality":
		return compile.Text(m.temporality())
	}
	return compile.Value{}
}
