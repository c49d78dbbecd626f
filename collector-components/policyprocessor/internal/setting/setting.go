// SPDX-License-Identifier: Apache-2.0

// Package setting writes values into fields of telemetry, as a policy's set rules say.
// It knows no collector and no policy engine.
//
//	attributes.<key>   attributes of a span, a log record, a metric's data points
//	resource.<key>     attributes of the resource
//	scope.<key>        attributes of the instrumentation scope
//	name               a span's name
//	severity_text      a log record's severity text
//
// A key is literal, dots and all. Values are strings, booleans, numbers, lists and
// objects of them.
package setting

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// MaxFields bounds the fields of one rule.
const MaxFields = 64

// Fields are the fields that one rule sets, in order of their names. They are immutable
// and safe for concurrent use.
type Fields struct {
	attributes, resource, scope []field
	name, severity              *string
}

type field struct {
	key   string
	value pcommon.Value
}

// Parse reads an object of fields and their values, as encoding/json makes it with
// numbers as [json.Number]. Its errors name the field, never the value.
func Parse(said any) (*Fields, error) {
	object, ok := said.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is a %T, not an object of fields", said)
	}
	if len(object) == 0 || len(object) > MaxFields {
		return nil, fmt.Errorf("it sets %d fields, not 1 to %d", len(object), MaxFields)
	}
	f := &Fields{}
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := f.add(name, object[name]); err != nil {
			return nil, fmt.Errorf("field %q: %w", name, err)
		}
	}
	return f, nil
}

func (f *Fields) add(name string, said any) error {
	switch name {
	case "name", "severity_text":
		text, ok := said.(string)
		if !ok {
			return fmt.Errorf("takes a string, not a %T", said)
		}
		if name == "name" {
			f.name = &text
		} else {
			f.severity = &text
		}
		return nil
	}
	place, key, _ := strings.Cut(name, ".")
	into := map[string]*[]field{"attributes": &f.attributes, "resource": &f.resource, "scope": &f.scope}[place]
	if into == nil || key == "" {
		return errors.New("is unknown")
	}
	raw, err := plain(said)
	if err != nil {
		return err
	}
	v := pcommon.NewValueEmpty()
	if err := v.FromRaw(raw); err != nil {
		return errors.New("has a value of no type that an attribute has")
	}
	*into = append(*into, field{key, v})
	return nil
}

// plain makes int64 and float64 of numbers.
func plain(said any) (any, error) {
	switch v := said.(type) {
	case nil:
		return nil, errors.New("has no value")
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		return v.Float64()
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = plain(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		object := make(map[string]any, len(v))
		for k := range v {
			var err error
			if object[k], err = plain(v[k]); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return said, nil
}

// put writes values into a map and returns how many. A key that was sent twice is there
// once afterwards: readers differ in which of two values they take.
func put(m pcommon.Map, fields []field) int {
	for i := range fields {
		f := &fields[i]
		met := false
		m.RemoveIf(func(key string, v pcommon.Value) bool {
			if key != f.key {
				return false
			}
			if !met {
				f.value.CopyTo(v)
			}
			again := met
			met = true
			return again
		})
		if !met {
			f.value.CopyTo(m.PutEmpty(f.key))
		}
	}
	return len(fields)
}

// OfPlace reports whether there are fields of the resource or the scope among them.
func (f *Fields) OfPlace() bool { return len(f.resource)+len(f.scope) > 0 }

// Resource sets the resource's fields. Like the others below it returns how many values
// were written.
func (f *Fields) Resource(r pcommon.Resource) int { return put(r.Attributes(), f.resource) }

// Scope sets the scope's fields.
func (f *Fields) Scope(s pcommon.InstrumentationScope) int { return put(s.Attributes(), f.scope) }

// Span sets a span's fields.
func (f *Fields) Span(s ptrace.Span) int {
	n := put(s.Attributes(), f.attributes)
	if f.name != nil {
		s.SetName(*f.name)
		n++
	}
	return n
}

// Log sets a log record's fields.
func (f *Fields) Log(r plog.LogRecord) int {
	n := put(r.Attributes(), f.attributes)
	if f.severity != nil {
		r.SetSeverityText(*f.severity)
		n++
	}
	return n
}

// Metric sets attributes of all data points of a metric. Series that differed in nothing
// else become one: that is for a budget to fold, not for a rule.
func (f *Fields) Metric(m pmetric.Metric) (n int) {
	if len(f.attributes) == 0 {
		return 0
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			n += put(p.Attributes(), f.attributes)
		}
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			n += put(p.Attributes(), f.attributes)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			n += put(p.Attributes(), f.attributes)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			n += put(p.Attributes(), f.attributes)
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			n += put(p.Attributes(), f.attributes)
		}
	case pmetric.MetricTypeEmpty:
	}
	return n
}
