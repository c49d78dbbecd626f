// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func read(t *testing.T, text string) *Definitions {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Read(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func attribute(t *testing.T, d *Definitions, key string) *AttributeDef {
	t.Helper()
	i := slices.IndexFunc(d.Attributes, func(a *AttributeDef) bool { return a.Key == key })
	if i < 0 {
		t.Fatalf("there is no attribute %s", key)
	}
	return d.Attributes[i]
}

func signal(t *testing.T, list []*SignalDef, name string) *SignalDef {
	t.Helper()
	i := slices.IndexFunc(list, func(s *SignalDef) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no %s", name)
	}
	return list[i]
}

func TestTheEmbeddedRegistryHasWhatServicesUse(t *testing.T) {
	d := read(t, "{}")
	if len(d.Attributes) < 700 || len(d.Metrics) < 300 {
		t.Errorf("%d attributes and %d metrics, expected more than 700 and 300", len(d.Attributes), len(d.Metrics))
	}
	if a := attribute(t, d, "http.request.header"); !a.Template || a.Base != String || !a.Array {
		t.Errorf("http.request.header is %+v, expected a template of arrays of texts", a)
	}
	if a := attribute(t, d, "http.request.method"); !slices.Contains(a.Texts, "PATCH") || a.Stability != "stable" {
		t.Errorf("http.request.method is %+v, expected a stable enum with PATCH", a)
	}
	for old, successor := range map[string]string{
		"http.method": "http.request.method", "http.status_code": "http.response.status_code", "http.url": "url.full",
		"db.statement": "db.query.text", "db.system": "db.system.name", "deployment.environment": "deployment.environment.name",
	} {
		if a := attribute(t, d, old); a.Deprecated == nil || a.Deprecated.Successor("") != successor {
			t.Errorf("%s is %+v, expected deprecated for %s", old, a.Deprecated, successor)
		}
	}
	peer := attribute(t, d, "net.peer.name").Deprecated
	if peer.Successor("client") != "server.address" || peer.Successor("server") != "client.address" || peer.Successor("") != "" {
		t.Errorf("net.peer.name has the successors %q, %q and %q by kind", peer.Successor("client"), peer.Successor("server"), peer.Successor(""))
	}
	m := signal(t, d.Metrics, "http.server.request.duration")
	if m.Instrument != "histogram" || m.Unit != "s" || len(m.Attributes) != 2 {
		t.Errorf("http.server.request.duration is %+v", m)
	}
}

func TestEverySuccessorIsInTheEmbeddedRegistry(t *testing.T) {
	d := read(t, "{}")
	for _, a := range d.Attributes {
		if a.Deprecated == nil {
			continue
		}
		for _, kind := range append(kindNames, "") {
			if to := a.Deprecated.Successor(kind); to != "" && attribute(t, d, to).Deprecated != nil {
				t.Errorf("%s gives way to %s, which is deprecated", a.Key, to)
			}
		}
	}
}

func TestBothFormsOfWeaverMeanTheSame(t *testing.T) {
	sections := read(t, `
file_format: definition/2
extends: none
attributes:
  - {key: acme.id, type: string, stability: stable, brief: An id., examples: [a]}
  - {key: acme.stage, type: {members: [{id: cart, value: cart}, {id: paid, value: paid}]}, stability: stable}
  - {key: acme.old, type: int, deprecated: {reason: renamed, renamed_to: acme.id}}
attribute_groups:
  - id: acme.common
    attributes: [{ref: acme.id, requirement_level: required}]
spans:
  - type: acme.checkout
    name: {note: The constant checkout.}
    kind: server
    attributes: [{ref_group: acme.common}, {ref: acme.stage}, {ref: acme.old, requirement_level: opt_in}]
metrics:
  - {name: acme.items, instrument: counter, unit: "{item}", value_type: int, attributes: [{ref: acme.stage, requirement_level: {conditionally_required: When known.}}]}
events:
  - {name: acme.done, stability: development, attributes: [{ref: acme.id, requirement_level: required}]}
resource:
  attributes: [{ref: acme.id, requirement_level: {recommended: Where there is one.}}]
`)
	groups := read(t, `
extends: none
groups:
  - id: registry.acme
    type: attribute_group
    prefix: acme
    attributes:
      - {id: id, type: string, stability: stable}
      - {id: stage, type: {members: [{id: cart, value: cart}, {id: paid, value: paid}]}, stability: stable}
      - {id: old, type: int, deprecated: {reason: renamed, renamed_to: acme.id}}
  - id: attributes.acme
    type: attribute_group
    attributes: [{ref: acme.id, requirement_level: required}]
  - id: span.acme.checkout
    type: span
    span_kind: server
    extends: attributes.acme
    attributes: [{ref: acme.id}, {ref: acme.stage}, {ref: acme.old, requirement_level: opt_in}]
  - id: metric.acme.items
    type: metric
    metric_name: acme.items
    instrument: counter
    unit: "{item}"
    value_type: int
    attributes: [{ref: acme.stage, requirement_level: {conditionally_required: When known.}}]
  - {id: event.acme.done, type: event, stability: experimental, attributes: [{ref: acme.id, requirement_level: required}]}
  - {id: res, type: resource, attributes: [{ref: acme.id}]}
`)
	if !reflect.DeepEqual(sections, groups) {
		t.Errorf("sections mean\n%+v\nand groups\n%+v", sections, groups)
	}
	want := &SignalDef{
		Name: "acme.checkout", Kind: "server", Match: []string{"acme.id"},
		Attributes: []Requirement{{"acme.id", finding.RequiredAttribute}, {"acme.stage", finding.RecommendedAttribute}, {"acme.old", finding.OptInAttribute}},
	}
	if got := sections.Spans[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("the span is %+v, expected %+v", got, want)
	}
}

func TestAResolvedRegistryReads(t *testing.T) {
	d := read(t, `
extends: none
registry_url: https://example.com
groups:
  - id: span.acme
    type: span
    span_kind: client
    lineage: {source_group: x}
    attributes:
      - {name: acme.id, type: string, requirement_level: required, stability: stable, deprecated: Use another.}
      - {name: acme.flags, type: "boolean[]", requirement_level: recommended}
`)
	if a := attribute(t, d, "acme.id"); a.Deprecated == nil || a.Deprecated.Advice() != "Use another." {
		t.Errorf("acme.id is %+v", a)
	}
	if a := attribute(t, d, "acme.flags"); !a.Array || a.Base != Boolean {
		t.Errorf("acme.flags is %+v", a)
	}
}

func TestACompanysRegistryAddsToTheEmbeddedOneAndChangesIt(t *testing.T) {
	d := read(t, `
version: 7
attributes:
  - {key: http.route, type: string, stability: development}
  - {key: acme.code, type: {members: [1, 2]}}
resource: {required: [service.version, acme.code]}
namespaces: [acme.lab]
levels: [{ids: [not_stable], signal: span, names: ["http.*"], level: off}]
`)
	if d.Version != "7" || attribute(t, d, "http.route").Stability != "development" {
		t.Errorf("version is %q, http.route %+v", d.Version, attribute(t, d, "http.route"))
	}
	if a := attribute(t, d, "acme.code"); a.Base != Int || !slices.Equal(a.Numbers, []int64{1, 2}) {
		t.Errorf("acme.code is %+v", a)
	}
	if !slices.Contains(d.Resource.Attributes, Requirement{"service.version", finding.RequiredAttribute}) ||
		!slices.Contains(d.Resource.Attributes, Requirement{"service.name", finding.RequiredAttribute}) {
		t.Errorf("the resource is %+v, expected service.name of below and service.version of the document", d.Resource)
	}
	if !slices.Contains(d.Namespaces, "acme.lab") || len(d.Levels) != 1 || d.Levels[0].Level != finding.Off {
		t.Errorf("namespaces %v, levels %+v", d.Namespaces, d.Levels)
	}
}

func TestABadRegistryIsRefusedWithWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"another base":           {"extends: other", `extends is "other"`},
		"no key":                 {"attributes: [{type: int}]", "attributes[0]: an attribute has no key"},
		"no type":                {"attributes: [{key: a.b}]", "attribute a.b: has no type"},
		"another type":           {"attributes: [{key: a.b, type: text}]", `type "text" is not known`},
		"an open template":       {"attributes: [{key: a.b, type: 'template[int'}]", "not closed"},
		"a number as type":       {"attributes: [{key: a.b, type: 3}]", "neither a text nor members"},
		"no members":             {"attributes: [{key: a.b, type: {members: []}}]", "has no members"},
		"mixed members":          {"attributes: [{key: a.b, type: {members: [a, 1]}}]", "texts and numbers"},
		"a member of no kind":    {"attributes: [{key: a.b, type: {members: [{id: [a]}]}}]", "neither a text nor a whole number"},
		"deprecated by number":   {"attributes: [{key: a.b, type: int, deprecated: 1}]", "deprecated is neither"},
		"a reason of no text":    {"attributes: [{key: a.b, type: int, deprecated: {reason: 1}}]", "deprecated.reason is not a text"},
		"successors of no kinds": {"attributes: [{key: a.b, type: int, deprecated: {renamed_by_kind: 1}}]", "does not have fields"},
		"successor of no kind":   {"attributes: [{key: a.b, type: int, deprecated: {renamed_by_kind: {x: y}}}]", "renamed_by_kind.x"},
		"a group of no type":     {"groups: [{id: g, type: thing}]", `groups[0]: type "thing"`},
		"an unknown ref":         {"spans: [{type: s, attributes: [{ref: a.b}]}]", `span s: attribute "a.b" is not defined`},
		"an unknown required":    {"spans: [{type: s, required: [a.b]}]", `span s: attribute "a.b" is not defined`},
		"an unknown match":       {"spans: [{type: s, match: [a.b]}]", "match: attribute a.b is not defined"},
		"an unknown group":       {"spans: [{type: s, extends: g}]", "group g is not defined"},
		"an unknown ref_group":   {"spans: [{type: s, attributes: [{ref_group: g}]}]", "group g is not defined"},
		"a circle":               {"groups: [{id: g, type: attribute_group, extends: g}]", "extends or includes itself"},
		"another kind":           {"spans: [{type: s, kind: x}]", `kind "x"`},
		"another instrument":     {"metrics: [{name: m, instrument: x}]", `instrument "x"`},
		"another value type":     {"metrics: [{name: m, value_type: x}]", `value_type "x"`},
		"no name":                {"metrics: [{unit: s}]", "has no name"},
		"a metric deprecated":    {"metrics: [{name: m, deprecated: 1}]", "deprecated is neither"},
		"another requirement":    {"spans: [{type: s, attributes: [{ref: http.route, requirement_level: must}]}]", "requirement_level is not"},
		"another finding":        {"levels: [{ids: [x], level: off}]", "levels[0]"},
		"another level":          {"levels: [{level: x}]", `"x" is no level`},
		"another signal":         {"levels: [{signal: x, level: off}]", `"x" is no signal`},
		"a bad inline attribute": {"spans: [{type: s, attributes: [{key: a.b, type: x}]}]", "span s: attribute a.b"},
	} {
		d, err := Parse([]byte(test.text))
		if err == nil {
			err = d.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error is %v, expected one with %q", name, err, test.says)
		}
	}
	for _, text := range []string{"a: [", "unknown: 1", "attributes: 5", "attributes: [{key: a.b, typo: x}]"} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q reads", text)
		}
	}
}

func TestGroupsThatIncludeEachOtherManyTimesReadAtOnce(t *testing.T) {
	var b strings.Builder
	b.WriteString("extends: none\nattribute_groups:\n  - {id: g0}\n")
	for i := range 60 {
		fmt.Fprintf(&b, "  - {id: g%d, attributes: [{ref_group: g%d}, {ref_group: g%d}]}\n", i+1, i, i)
	}
	read(t, b.String()) // 2^60 ways from the last to the first
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("extends: none\nattributes: [{key: a.b, type: {members: [a]}}]\nspans: [{type: s, required: [a.b]}]"))
	f.Add([]byte("groups: [{id: g, type: metric, metric_name: m, extends: g, unit: 1, attributes: [{ref_group: g}, {id: x, type: 'template[int[]]'}]}]"))
	f.Add([]byte("levels: [{ids: [deprecated], names: ['*'], level: off}]"))
	if text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "acme.yaml")); err == nil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		out, err := Read(d)
		if err != nil {
			return
		}
		known := make(map[string]bool)
		for _, a := range out.Attributes {
			if known[a.Key] || a.Key == "" {
				t.Errorf("attribute %q is there twice, or has no name", a.Key)
			}
			known[a.Key] = true
		}
		for _, list := range [][]*SignalDef{out.Spans, out.Metrics, out.Events} {
			for _, s := range list {
				for _, q := range s.Attributes {
					if !known[q.Key] {
						t.Errorf("%s asks for %s, which is not defined", s.Name, q.Key)
					}
				}
				for _, key := range s.Match {
					if !known[key] {
						t.Errorf("%s is known by %s, which is not defined", s.Name, key)
					}
				}
			}
		}
	})
}
