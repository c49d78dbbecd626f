// SPDX-License-Identifier: Apache-2.0

package check

import (
	"reflect"
	"testing"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func enforcement(t *testing.T, by map[string]string) *Enforcement {
	t.Helper()
	e, err := ParseEnforcement(by)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEnforcementOnASpan(t *testing.T) {
	r := rules(t, conventions)
	for name, test := range map[string]struct {
		enforce       map[string]string
		before, after map[string]any
		done, skipped int64
		drop          finding.ID
	}{
		"a deprecated attribute is renamed": {map[string]string{"deprecated": "rename"},
			map[string]any{"a.old": "x", "a.int": int64(1)}, map[string]any{"a.text": "x", "a.int": int64(1)}, 1, 0, 0},
		"its value stays of its type": {map[string]string{"deprecated": "rename"},
			map[string]any{"a.old": []any{int64(1), "x"}}, map[string]any{"a.text": []any{int64(1), "x"}}, 1, 0, 0},
		"unless the successor is there": {map[string]string{"deprecated": "rename"},
			map[string]any{"a.old": "x", "a.text": "y"}, map[string]any{"a.old": "x", "a.text": "y"}, 0, 1, 0},
		"or there is none": {map[string]string{"deprecated": "rename"},
			map[string]any{"a.gone": "x"}, map[string]any{"a.gone": "x"}, 0, 1, 0},
		"the successor may depend on the kind": {map[string]string{"deprecated": "rename"},
			map[string]any{"a.peer": "x"}, map[string]any{"a.text": "x"}, 1, 0, 0},
		"an unknown attribute is dropped": {map[string]string{"missing_attribute": "drop_attribute"},
			map[string]any{"a.text": "x", "other.x": "y", "other.z": "y"}, map[string]any{"a.text": "x"}, 2, 0, 0},
		"once for two findings": {map[string]string{"missing_attribute": "drop_attribute", "invalid_format": "drop_attribute"},
			map[string]any{"b.X": "x"}, map[string]any{}, 1, 0, 0},
		"what was renamed is not dropped": {map[string]string{"deprecated": "rename", "type_mismatch": "drop_attribute"},
			map[string]any{"a.old": int64(1)}, map[string]any{"a.text": int64(1)}, 1, 0, 0},
		"what was dropped is not renamed": {map[string]string{"deprecated": "rename", "undefined_enum_variant": "drop_attribute"},
			map[string]any{"a.enum": "z"}, map[string]any{}, 1, 0, 0},
		"an item is annotated": {map[string]string{"type_mismatch": "annotate", "missing_attribute": "annotate"},
			map[string]any{"a.text": int64(1), "o.x": "x"}, map[string]any{"a.text": int64(1), "o.x": "x", "otelplat.semconv.violation": []any{"missing_attribute", "type_mismatch"}}, 2, 0, 0},
		"an item is dropped for a violation": {map[string]string{"type_mismatch": "drop_item"},
			map[string]any{"a.text": int64(1)}, map[string]any{"a.text": int64(1)}, 1, 0, finding.TypeMismatch},
		"and not for less": {map[string]string{"undefined_enum_variant": "drop_item"},
			map[string]any{"a.enum": "z"}, map[string]any{"a.enum": "z"}, 0, 1, 0},
		"none does nothing": {map[string]string{"type_mismatch": "none", "deprecated": "annotate"},
			map[string]any{"a.text": int64(1)}, map[string]any{"a.text": int64(1)}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := ptrace.NewSpan()
			s.SetKind(ptrace.SpanKindClient)
			fill(s.Attributes(), test.before)
			var c Checker
			c.Begin(r, enforcement(t, test.enforce), false)
			if why := c.Span(s); why != test.drop {
				t.Errorf("dropped for %q, expected %q", why, test.drop)
			}
			after := s.Attributes().AsRaw()
			delete(after, "x")
			if !reflect.DeepEqual(after, test.after) {
				t.Errorf("attributes are %v, expected %v", after, test.after)
			}
			if done, skipped := total(c.Done), total(c.Skipped); done != test.done || skipped != test.skipped {
				t.Errorf("%d done and %d skipped, expected %d and %d", done, skipped, test.done, test.skipped)
			}
		})
	}
}

func total(of [Actions][finding.IDs]int64) (n int64) {
	for _, by := range of {
		for _, m := range by {
			n += m
		}
	}
	return n
}

func TestARecordIsAnnotatedAndItsEventDropped(t *testing.T) {
	r := rules(t, conventions)
	var c Checker
	c.Begin(r, enforcement(t, map[string]string{"missing_event": "drop_item", "required_attribute_not_present": "annotate"}), false)
	l := plog.NewLogRecord()
	l.SetEventName("e.done")
	if why := c.Log(l); why != finding.None || l.Attributes().Len() != 1 {
		t.Errorf("dropped for %q with attributes %v, expected one that annotates", why, l.Attributes().AsRaw())
	}
	l.SetEventName("e.unknown")
	if why := c.Log(l); why != finding.MissingEvent {
		t.Errorf("dropped for %q, expected missing_event", why)
	}
	m := pcommon.NewMap()
	if why := c.Resource(m); why != finding.None || m.Len() != 1 {
		t.Errorf("dropped for %q with attributes %v, expected one that annotates the resource", why, m.AsRaw())
	}
}

func metric(points ...string) pmetric.Metric {
	m := pmetric.NewMetric()
	m.SetName("m.calls")
	m.SetUnit("{call}")
	for _, enum := range points {
		p := sum2(m).AppendEmpty()
		p.SetIntValue(1)
		p.Attributes().PutStr("a.enum", enum)
		p.Attributes().PutStr("a.old", "x")
	}
	return m
}

func sum2(m pmetric.Metric) pmetric.NumberDataPointSlice {
	if m.Type() != pmetric.MetricTypeSum {
		return sum(m, true)
	}
	return m.Sum().DataPoints()
}

func TestDataPointsAreDroppedOneByOneAndNoSeriesBecomesAnother(t *testing.T) {
	r := rules(t, conventions+"levels: [{ids: [undefined_enum_variant], level: violation}]")
	var c Checker
	c.Begin(r, enforcement(t, map[string]string{"undefined_enum_variant": "drop_item", "deprecated": "drop_attribute"}), true)
	m := metric("x", "z", "y")
	if dropped, gone := c.Metric(m); dropped != 1 || gone || m.Sum().DataPoints().Len() != 2 {
		t.Errorf("%d dropped, gone %v, %d left: expected one dropped of three", dropped, gone, m.Sum().DataPoints().Len())
	}
	if m.Sum().DataPoints().At(0).Attributes().Len() != 2 || c.Skipped[DropAttribute][finding.Deprecated] != 3 {
		t.Error("an attribute of a data point was dropped, which makes another series of it")
	}
	if dropped, gone := c.Metric(metric("z")); dropped != 1 || !gone {
		t.Errorf("%d dropped, gone %v: expected a metric to go with its last point", dropped, gone)
	}
	c.Begin(r, enforcement(t, map[string]string{"unit_mismatch": "drop_item"}), true)
	m = metric("x", "y")
	m.SetUnit("1")
	if dropped, gone := c.Metric(m); dropped != 2 || !gone {
		t.Errorf("%d dropped, gone %v: expected all points of a metric with another unit to go", dropped, gone)
	}
	h := pmetric.NewMetric()
	h.SetName("m.time")
	h.SetEmptyHistogram().DataPoints().AppendEmpty()
	if dropped, gone := c.Metric(h); dropped != 1 || !gone {
		t.Errorf("%d dropped, gone %v: expected the points of a histogram to go", dropped, gone)
	}
	if c.Items[finding.Violation] != 3 || c.Done[DropItem][finding.UnitMismatch] != 3 {
		t.Errorf("items %v, dropped %v: expected three each", c.Items, c.Done[DropItem])
	}
}

func TestAMetricIsAnnotatedInItsMetadata(t *testing.T) {
	r := rules(t, conventions)
	var c Checker
	c.Begin(r, enforcement(t, map[string]string{"deprecated": "annotate", "required_attribute_not_present": "annotate"}), true)
	m := metric("x", "y")
	c.Metric(m)
	if got := m.Metadata().AsRaw(); !reflect.DeepEqual(got, map[string]any{"otelplat.semconv.violation": []any{"deprecated"}}) {
		t.Errorf("the metadata is %v", got)
	}
	if m.Sum().DataPoints().At(0).Attributes().Len() != 2 {
		t.Error("a data point has another attribute")
	}
	res := pcommon.NewMap()
	c.Resource(res)
	scope := pcommon.NewMap()
	scope.PutStr("a.old", "x")
	c.Scope(scope, finding.Metric)
	if res.Len() != 0 || scope.Len() != 1 || c.Skipped[Annotate][finding.RequiredAttribute] != 1 || c.Skipped[Annotate][finding.Deprecated] != 1 {
		t.Errorf("resource %v, scope %v, skipped %v: expected neither annotated, and both counted", res.AsRaw(), scope.AsRaw(), c.Skipped[Annotate])
	}
}

func TestOnlyWhatCanBeDoneIsTaken(t *testing.T) {
	for name, by := range map[string]map[string]string{
		"no finding":                  {"x": "annotate"},
		"no action":                   {"deprecated": "x"},
		"rename without a successor":  {"type_mismatch": "rename"},
		"drop an attribute not there": {"required_attribute_not_present": "drop_attribute"},
	} {
		if _, err := ParseEnforcement(by); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, by := range []map[string]string{nil, {"deprecated": "none"}} {
		if e := enforcement(t, by); e != nil {
			t.Errorf("%v is %v, expected nothing to be enforced", by, e)
		}
	}
}
