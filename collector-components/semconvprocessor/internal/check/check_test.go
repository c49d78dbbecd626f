// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/registry"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const conventions = `
extends: none
attributes:
  - {key: a.text, type: string, stability: stable}
  - {key: a.int, type: int, stability: stable}
  - {key: a.double, type: double, stability: stable}
  - {key: a.flag, type: boolean, stability: stable}
  - {key: a.any, type: any, stability: stable}
  - {key: a.texts, type: "string[]", stability: stable}
  - {key: a.enum, type: {members: [x, y]}, stability: stable}
  - {key: a.code, type: {members: [1, 2]}, stability: stable}
  - {key: a.new, type: string, stability: development}
  - {key: a.old, type: string, deprecated: {reason: renamed, renamed_to: a.text}}
  - {key: a.gone, type: string, deprecated: Removed.}
  - {key: a.peer, type: string, deprecated: {renamed_by_kind: {client: a.text}}}
  - {key: a.header, type: "template[string[]]", stability: stable}
  - {key: k.ey, type: string, stability: stable}
  - {key: service.name, type: string, stability: stable}
spans:
  - {type: call, kind: client, match: [k.ey], required: [k.ey, a.text], recommended: [a.int], attributes: [{ref: a.header, requirement_level: opt_in}, {ref: a.flag, requirement_level: {conditionally_required: At times.}}]}
metrics:
  - {name: m.calls, instrument: counter, unit: "{call}", value_type: int, required: [a.enum]}
  - {name: m.load, instrument: gauge, unit: "1", value_type: double}
  - {name: m.live, instrument: updowncounter, unit: "{call}"}
  - {name: m.time, instrument: histogram, unit: s, stability: stable}
  - {name: m.old, instrument: gauge, unit: "1", deprecated: Gone.}
  - {name: m.new, instrument: gauge, unit: "1", stability: alpha}
events:
  - {name: e.done, required: [a.text]}
  - {name: e.old, deprecated: Gone.}
resource: {required: [service.name]}
namespaces: [lab]
`

func rules(tb testing.TB, text string) *Rules {
	tb.Helper()
	d, err := registry.Parse([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	definitions, err := registry.Read(d)
	if err != nil {
		tb.Fatal(err)
	}
	return Compile(definitions, nil)
}

// found returns what a checker found as "id signal name on of", sorted, and its
// times where it is more than one.
func found(c *Checker) string {
	var list []string
	c.Tally.End(func(k finding.Key, n int64) {
		s := fmt.Sprintf("%s %s %s", k.ID, k.Signal, k.Name)
		if k.Of != "" && k.Of != k.Name {
			s += " on " + k.Of
		}
		if n > 1 {
			s += fmt.Sprintf(" x%d", n)
		}
		list = append(list, s)
	})
	slices.Sort(list)
	return strings.Join(list, "; ")
}

func fill(m pcommon.Map, attributes map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(attributes)) {
		if err := m.PutEmpty(k).FromRaw(attributes[k]); err != nil {
			panic(err)
		}
	}
}

func TestAnAttributeIsWhatTheRegistrySays(t *testing.T) {
	r := rules(t, conventions)
	for name, test := range map[string]struct {
		key   string
		value any
		finds string
	}{
		"a text":                         {"a.text", "x", ""},
		"an int":                         {"a.int", 1, ""},
		"a double":                       {"a.double", 1.5, ""},
		"a whole number for a double":    {"a.double", 1, ""},
		"a boolean":                      {"a.flag", true, ""},
		"anything for any":               {"a.any", map[string]any{"x": 1}, ""},
		"an array":                       {"a.texts", []any{"x", "y"}, ""},
		"an empty array":                 {"a.texts", []any{}, ""},
		"no value":                       {"a.int", nil, ""},
		"a text for an int":              {"a.int", "1", "type_mismatch span a.int"},
		"a double for an int":            {"a.int", 1.5, "type_mismatch span a.int"},
		"an int for a text":              {"a.text", 1, "type_mismatch span a.text"},
		"a text for a boolean":           {"a.flag", "true", "type_mismatch span a.flag"},
		"a text for an array":            {"a.texts", "x", "type_mismatch span a.texts"},
		"an array of ints for texts":     {"a.texts", []any{1}, "type_mismatch span a.texts"},
		"an array for a text":            {"a.text", []any{"x"}, "type_mismatch span a.text"},
		"a member":                       {"a.enum", "y", ""},
		"no member":                      {"a.enum", "z", "undefined_enum_variant span a.enum"},
		"a number for members of text":   {"a.enum", 1, "type_mismatch span a.enum"},
		"a member that is a number":      {"a.code", 2, ""},
		"a number that is no member":     {"a.code", 3, "undefined_enum_variant span a.code"},
		"one that is not stable":         {"a.new", "x", "not_stable span a.new"},
		"a deprecated one":               {"a.old", "x", "deprecated span a.old"},
		"a template's":                   {"a.header.x-y", []any{"1"}, "template_attribute span a.header"},
		"a template's of another type":   {"a.header.x", "1", "template_attribute span a.header; type_mismatch span a.header"},
		"an unknown one":                 {"b.other", 1, "missing_attribute span b.other"},
		"an unknown one of a namespace":  {"a.other", 1, "extends_namespace span a.other; missing_attribute span a.other"},
		"one below an attribute":         {"a.text.more", 1, "extends_namespace span a.text.more; illegal_namespace span a.text.more; missing_attribute span a.text.more"},
		"one below a deprecated one":     {"a.old.more", 1, "extends_namespace span a.old.more; missing_attribute span a.old.more"},
		"one without a namespace":        {"other", 1, "missing_attribute span other; missing_namespace span other"},
		"one in camel case":              {"b.someThing", 1, "invalid_format span b.someThing; missing_attribute span b.someThing"},
		"one in an allowed namespace":    {"lab.try", 1, ""},
		"a bad one in an allowed one":    {"lab.Try", 1, "invalid_format span lab.Try"},
		"a deep one in an allowed one":   {"lab.a.b.c", 1, ""},
		"one whose name begins like one": {"label.x", 1, "missing_attribute span label.x"},
		"one without a name":             {"", 1, "invalid_format span ; missing_attribute span ; missing_namespace span "},
	} {
		t.Run(name, func(t *testing.T) {
			s := ptrace.NewSpan()
			fill(s.Attributes(), map[string]any{test.key: test.value})
			var c Checker
			c.Begin(r, nil, false)
			if why := c.Span(s); why != finding.None {
				t.Errorf("dropped for %s, where nothing is enforced", why)
			}
			if got := found(&c); got != test.finds {
				t.Errorf("found %q, expected %q", got, test.finds)
			}
		})
	}
}

func TestTheFormOfNamesIsThatOfTheConventions(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "a.b": true, "a_b.c_d": true, "a1.2b": true, "aws.s3": true,
		"": false, "A": false, "1a": false, ".a": false, "a.": false, "a..b": false, "a._b": false, "a__b": false, "a-b": false, "a b": false, "é": false,
	} {
		if wellFormed(name) != good {
			t.Errorf("%q is taken for %v", name, !good)
		}
	}
}

func TestASpanHasWhatItsTypeAsksFor(t *testing.T) {
	r := rules(t, conventions)
	all := map[string]any{"k.ey": "k", "a.text": "t", "a.int": 1, "a.flag": true, "a.header.x": []any{"1"}}
	without := func(keys ...string) map[string]any {
		m := maps.Clone(all)
		for _, k := range keys {
			delete(m, k)
		}
		return m
	}
	const template = "template_attribute span a.header"
	for name, test := range map[string]struct {
		kind       ptrace.SpanKind
		attributes map[string]any
		finds      string
	}{
		"all of it":              {ptrace.SpanKindClient, all, template},
		"without a required one": {ptrace.SpanKindClient, without("a.text"), "required_attribute_not_present span a.text on call; " + template},
		"without the others": {ptrace.SpanKindClient, without("a.int", "a.flag", "a.header.x"), "conditionally_required_attribute_not_present span a.flag on call; " +
			"opt_in_attribute_not_present span a.header on call; recommended_attribute_not_present span a.int on call"},
		"another type":      {ptrace.SpanKindClient, without("k.ey", "a.text"), template},
		"another kind":      {ptrace.SpanKindServer, all, "kind_mismatch span call; " + template},
		"a kind of no sort": {ptrace.SpanKind(77), without("k.ey"), template},
	} {
		s := ptrace.NewSpan()
		s.SetKind(test.kind)
		fill(s.Attributes(), test.attributes)
		var c Checker
		c.Begin(r, nil, false)
		c.Span(s)
		if got := found(&c); got != test.finds {
			t.Errorf("%s: found %q, expected %q", name, got, test.finds)
		}
	}
}

func TestASpansEventsAndLinksAreChecked(t *testing.T) {
	r := rules(t, conventions)
	s := ptrace.NewSpan()
	known := s.Events().AppendEmpty()
	known.SetName("e.done")
	known.Attributes().PutStr("a.new", "x")
	s.Events().AppendEmpty().SetName("anything")
	s.Events().AppendEmpty().SetName("e.old")
	s.Links().AppendEmpty().Attributes().PutInt("a.text", 1)
	s.Links().AppendEmpty()
	var c Checker
	c.Begin(r, nil, false)
	c.Span(s)
	want := "deprecated log e.old; not_stable log a.new; required_attribute_not_present log a.text on e.done; type_mismatch span a.text"
	if got := found(&c); got != want {
		t.Errorf("found %q, expected %q", got, want)
	}
	if c.Items[finding.Violation] != 1 {
		t.Errorf("items by level are %v, expected one violation", c.Items)
	}
}

func TestALogRecordWithANameIsAnEvent(t *testing.T) {
	r := rules(t, conventions)
	for name, test := range map[string]struct {
		event      string
		attributes map[string]any
		finds      string
	}{
		"a record":                {"", map[string]any{"a.int": 1}, ""},
		"a record with a bad one": {"", map[string]any{"a.int": "1"}, "type_mismatch log a.int"},
		"an event":                {"e.done", map[string]any{"a.text": "x"}, ""},
		"without what it needs":   {"e.done", nil, "required_attribute_not_present log a.text on e.done"},
		"a deprecated event":      {"e.old", nil, "deprecated log e.old"},
		"an unknown event":        {"e.other", nil, "missing_event log e.other"},
		"one with a bad name":     {"Other", nil, "invalid_format log Other; missing_event log Other"},
		"one that may be":         {"lab.tried", nil, ""},
	} {
		l := plog.NewLogRecord()
		l.SetEventName(test.event)
		fill(l.Attributes(), test.attributes)
		var c Checker
		c.Begin(r, nil, false)
		c.Log(l)
		if got := found(&c); got != test.finds {
			t.Errorf("%s: found %q, expected %q", name, got, test.finds)
		}
	}
}

func sum(m pmetric.Metric, monotonic bool) pmetric.NumberDataPointSlice {
	m.SetEmptySum().SetIsMonotonic(monotonic)
	return m.Sum().DataPoints()
}

func TestAMetricIsWhatTheRegistrySays(t *testing.T) {
	r := rules(t, conventions)
	for name, test := range map[string]struct {
		metric string
		unit   string
		data   func(pmetric.Metric)
		finds  string
	}{
		"a counter": {"m.calls", "{call}", func(m pmetric.Metric) {
			p := sum(m, true).AppendEmpty()
			p.SetIntValue(1)
			p.Attributes().PutStr("a.enum", "x")
		}, ""},
		"without what it needs": {"m.calls", "{call}", func(m pmetric.Metric) { sum(m, true).AppendEmpty().SetIntValue(1) },
			"required_attribute_not_present metric a.enum on m.calls"},
		"a double for a whole number": {"m.calls", "{call}", func(m pmetric.Metric) {
			p := sum(m, true).AppendEmpty()
			p.SetDoubleValue(1)
			p.Attributes().PutStr("a.enum", "x")
		}, "type_mismatch metric m.calls"},
		"a whole number for a double": {"m.load", "1", func(m pmetric.Metric) { m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1) }, "type_mismatch metric m.load"},
		"a point without a value":     {"m.load", "1", func(m pmetric.Metric) { m.SetEmptyGauge().DataPoints().AppendEmpty() }, ""},
		"another unit":                {"m.load", "%", func(m pmetric.Metric) { m.SetEmptyGauge() }, "unit_mismatch metric m.load"},
		"a gauge for a counter":       {"m.calls", "{call}", func(m pmetric.Metric) { m.SetEmptyGauge() }, "unexpected_instrument metric m.calls"},
		"a counter for up and down":   {"m.live", "{call}", func(m pmetric.Metric) { sum(m, true) }, "unexpected_instrument metric m.live"},
		"up and down":                 {"m.live", "{call}", func(m pmetric.Metric) { sum(m, false) }, ""},
		"a histogram": {"m.time", "s", func(m pmetric.Metric) {
			m.SetEmptyHistogram().DataPoints().AppendEmpty().Attributes().PutInt("a.text", 1)
		}, "type_mismatch metric a.text"},
		"an exponential one": {"m.time", "s", func(m pmetric.Metric) {
			m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Attributes().PutInt("a.text", 1)
		}, "type_mismatch metric a.text"},
		"a summary": {"m.time", "s", func(m pmetric.Metric) {
			m.SetEmptySummary().DataPoints().AppendEmpty().Attributes().PutInt("a.text", 1)
		},
			"type_mismatch metric a.text; unexpected_instrument metric m.time"},
		"a deprecated one":         {"m.old", "1", func(m pmetric.Metric) { m.SetEmptyGauge() }, "deprecated metric m.old"},
		"one that is not stable":   {"m.new", "1", func(m pmetric.Metric) { m.SetEmptyGauge() }, "not_stable metric m.new"},
		"an unknown one":           {"m.other", "", func(m pmetric.Metric) { sum(m, true).AppendEmpty() }, "missing_metric metric m.other"},
		"an unknown with bad name": {"mOther", "", func(m pmetric.Metric) {}, "invalid_format metric mOther; missing_metric metric mOther"},
		"one that may be":          {"lab.count", "", func(m pmetric.Metric) { m.SetEmptyGauge() }, ""},
	} {
		m := pmetric.NewMetric()
		m.SetName(test.metric)
		m.SetUnit(test.unit)
		test.data(m)
		var c Checker
		c.Begin(r, nil, true)
		if dropped, gone := c.Metric(m); dropped != 0 || gone {
			t.Errorf("%s: dropped, where nothing is enforced", name)
		}
		if got := found(&c); got != test.finds {
			t.Errorf("%s: found %q, expected %q", name, got, test.finds)
		}
	}
}

func TestAResourceAndAScopeAreChecked(t *testing.T) {
	r := rules(t, conventions)
	var c Checker
	c.Begin(r, nil, false)
	m := pcommon.NewMap()
	m.PutStr("a.old", "x")
	c.Resource(m)
	if got := found(&c); got != "deprecated resource a.old; required_attribute_not_present resource service.name" {
		t.Errorf("found %q of a resource", got)
	}
	c.Scope(pcommon.NewMap(), finding.Log)
	c.Scope(m, finding.Log)
	if got := found(&c); got != "deprecated log a.old" {
		t.Errorf("found %q of a scope", got)
	}
}

func TestLevelsAreTheRegistrys(t *testing.T) {
	r := rules(t, conventions+`
levels:
  - {ids: [type_mismatch], level: improvement}
  - {ids: [type_mismatch], names: ["a.*t"], signal: log, level: "off"}
  - {ids: [missing_attribute], names: [b.*], level: information}
  - {ids: [missing_namespace, extends_namespace], level: "off"}
  - {names: [quiet], level: "off"}
`)
	attributes := map[string]any{"a.int": "x", "a.flag": 1, "b.x": 1, "c.x": 1, "a.other": 1, "word": 1, "quiet": 1}
	levels := func(check func(c *Checker)) map[string]finding.Level {
		var c Checker
		c.Begin(r, nil, false)
		check(&c)
		out := make(map[string]finding.Level)
		c.Tally.End(func(k finding.Key, _ int64) { out[k.ID.String()+" "+k.Name] = k.Level })
		return out
	}
	want := map[string]finding.Level{
		"type_mismatch a.int": finding.Improvement, "type_mismatch a.flag": finding.Improvement,
		"missing_attribute b.x": finding.Information, "missing_attribute c.x": finding.Violation, "missing_attribute a.other": finding.Violation, "missing_attribute word": finding.Violation,
	}
	got := levels(func(c *Checker) {
		s := ptrace.NewSpan()
		fill(s.Attributes(), attributes)
		c.Span(s)
	})
	if !maps.Equal(got, want) {
		t.Errorf("on a span %v, expected %v", got, want)
	}
	delete(want, "type_mismatch a.int")
	got = levels(func(c *Checker) {
		l := plog.NewLogRecord()
		fill(l.Attributes(), attributes)
		c.Log(l)
	})
	if !maps.Equal(got, want) {
		t.Errorf("on a record %v, expected %v", got, want)
	}
}

func TestAPatternFitsAnyText(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		fits          bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.bc", false}, {"a.*", "a.b.c", true}, {"*", "", true}, {"*.id", "a.b.id", true},
		{"*.id", "a.idx", false}, {"a*b*c", "aXbYbc", true}, {"a*b*c", "aXbYcd", false}, {"a**", "a", true}, {"", "", true}, {"", "a", false},
	} {
		if glob(test.pattern, test.name) != test.fits {
			t.Errorf("%q on %q: expected %v", test.pattern, test.name, test.fits)
		}
	}
}

func TestCoverageCountsWhatWasSeenAndStaysWithANewRegistry(t *testing.T) {
	r := rules(t, conventions)
	var c Checker
	c.Begin(r, nil, true)
	m := pmetric.NewMetric()
	m.SetName("m.load")
	m.SetEmptyGauge().DataPoints().AppendEmpty().Attributes().PutStr("a.text", "x")
	c.Metric(m)
	l := plog.NewLogRecord()
	l.SetEventName("e.done")
	c.Log(l)
	d, _ := registry.Parse([]byte(conventions))
	definitions, _ := registry.Read(d)
	for _, now := range []*Rules{r, Compile(definitions, r)} {
		attributes, metrics, events := now.Coverage()
		if attributes != (Coverage{12, 1}) || metrics != (Coverage{5, 1}) || events != (Coverage{1, 1}) {
			t.Errorf("coverage is %v %v %v, expected 1 of 12, 1 of 5 and 1 of 1", attributes, metrics, events)
		}
	}
	if (Coverage{}).Ratio() != 0 || (Coverage{4, 1}).Ratio() != 0.25 {
		t.Error("a ratio is not seen of entries")
	}
}

func TestAdviceSaysWhatToUse(t *testing.T) {
	r := rules(t, conventions)
	for k, want := range map[finding.Key]string{
		{ID: finding.Deprecated, Signal: finding.Span, Name: "a.old"}:                     "Use a.text.",
		{ID: finding.Deprecated, Signal: finding.Span, Name: "a.gone"}:                    "Removed.",
		{ID: finding.Deprecated, Signal: finding.Metric, Name: "m.old", Of: "m.old"}:      "Gone.",
		{ID: finding.Deprecated, Signal: finding.Log, Name: "e.old", Of: "e.old"}:         "Gone.",
		{ID: finding.TypeMismatch, Signal: finding.Span, Name: "a.old"}:                   "",
		{ID: finding.MissingMetric, Signal: finding.Metric, Name: "nobody", Of: "nobody"}: "",
	} {
		if got := r.Advice(&k); got != want {
			t.Errorf("advice for %v is %q, expected %q", k, got, want)
		}
	}
}

func TestEveryNameOfTheRegistryIsFoundAndNoOther(t *testing.T) {
	r := openTelemetry(t)
	for key, a := range r.attributes {
		if a.def.Template {
			continue
		}
		if r.names.find(key) != a {
			t.Errorf("%s is not found", key)
		}
		for _, other := range []string{key + "x", "x" + key, key[:len(key)-1], strings.ToUpper(key), key[:len(key)/2] + "\x00" + key[len(key)/2+1:]} {
			if found := r.names.find(other); found != r.attributes[other] {
				t.Errorf("%q finds %v", other, found)
			}
		}
	}
	if r.names.find("") != nil {
		t.Error("a name of no length is found")
	}
}

func TestACheckAllocatesNothingOnceItsFindingsAreKnown(t *testing.T) {
	r := openTelemetry(t)
	s := ptrace.NewSpan()
	s.SetKind(ptrace.SpanKindServer)
	httpAttributes(s.Attributes())
	s.Attributes().PutStr("http.method", "GET")
	s.Attributes().PutStr("shop.unknown", "x")
	m := pmetric.NewMetric()
	m.SetName("http.server.request.duration")
	m.SetEmptyHistogram().DataPoints().AppendEmpty().Attributes().PutStr("shop.unknown", "x")
	l := plog.NewLogRecord()
	l.SetEventName("shop.unknown")
	var c Checker
	n := testing.AllocsPerRun(100, func() {
		c.Begin(r, nil, false)
		c.Span(s)
		c.Metric(m)
		c.Log(l)
		c.Tally.End(func(finding.Key, int64) {})
	})
	if n != 0 {
		t.Errorf("%v allocations, expected none", n)
	}
}
