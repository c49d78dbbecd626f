// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/compile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// looking are rules about every place of the document, by every kind of step.
const looking = `
drop contains "eq" if input.item.attributes.a == "x"
drop contains "dotted" if input.item.attributes["a.b"] == 1
drop contains "below" if input.item.attributes.a < 500
drop contains "nested" if input.item.attributes.a.x == 1
drop contains "member" if "x" in input.item.attributes.a
drop contains "any" if { some v in input.item.attributes; v == true }
drop contains "some key" if { some k, _ in input.item.attributes; startswith(k, "b") }
drop contains "count" if count(input.item.attributes) > 3
drop contains "missing" if not input.item.attributes.a
drop contains "null" if input.item.attributes.a == null
drop contains "whole" if input.item.attributes == {"a": "x"}
drop contains "name" if startswith(input.item.name, "health")
drop contains "kind" if input.item.kind == "server"
drop contains "status" if input.item.status == {"code": "error", "message": "m"}
drop contains "code" if input.item.status.code == "ok"
drop contains "body" if contains(input.item.body_text, "secret")
drop contains "structured" if input.item.body.k == "secret"
drop contains "event" if { some e in input.item.events; e.attributes.a == "x" }
drop contains "link" if count(input.item.links) > 0
drop contains "slow" if input.item.duration_ns > 5
drop contains "root" if input.item.root
observe contains "unit" if input.item.unit == "s"
sample["half"] := 0.5 if input.item.attributes.a == "x"
set["s"] := {"attributes.x": input.item.name} if startswith(input.item.name, "health")
route := "r" if input.item.attributes.b == true
drop contains "severity" if input.item.severity_number >= 17
drop contains "severe" if input.item.severity_text == "ERROR"
drop contains "event" if input.item.event_name == "e"
drop contains "type" if input.item.type == "sum"
drop contains "resource" if input.resource.attributes["service.name"] == "x"
drop contains "every" if { every v in input.resource.attributes { v != "x" } }
drop contains "scope" if { input.scope.name == "s"; input.scope.version != "1" }
drop contains "scoped" if input.scope.attributes.a
drop contains "signal" if input.signal == "logs"
drop contains "fields" if { some f, _ in input.item; f == "kind" }
drop contains "nothing" if input.item.nothing
keep contains "kept" if input.item.attributes.b == [1, "x"]
redact["r"] := {"action": "mask", "fields": ["attributes.*"]} if input.item.attributes.a == "x"
redact["s"] := {"action": "mask", "fields": ["attributes.a"]} if not input.resource.attributes.a
`

// TestAViewShowsWhatTheDocumentHolds asks the rules about random items natively and by
// OPA, items one after another in one place.
func TestAViewShowsWhatTheDocumentHolds(t *testing.T) {
	c := newChance(7)
	differing, native, matched, screened := 0, 0, 0, 0
	for _, signal := range []string{"traces", "logs", "metrics"} {
		p := processorOn(t, ModeEnforce, signal, rules(looking))
		e := p.work.(*enforcer)
		book, err := newRulebook(p.engine.Snapshot(), nil, false)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			resource, scope := pcommon.NewResource(), pcommon.NewInstrumentationScope()
			c.place(resource, scope)
			in := e.within(t.Context(), book)
			in.enter(resource, scope)
			for range 20 {
				var it item
				switch signal {
				case "traces":
					in.span.Span = ptrace.NewSpan()
					c.span(in.span.Span)
					it = &in.span
				case "logs":
					in.record.LogRecord = plog.NewLogRecord()
					c.record(in.record.LogRecord)
					it = &in.record
				case "metrics":
					in.metric.Metric = pmetric.NewMetric()
					c.metric(in.metric.Metric)
					it = &in.metric
				}
				in.show(it)
				for _, q := range book.list {
					want := opas(t, q, in)
					if told := q.screen != nil && in.screening.misses(q.screen); told {
						if screened++; want.err != nil || len(want.rules) > 0 {
							t.Errorf("%s: the screen of %s misses, OPA says %v, %v of %v in %v", signal, q.path, namesOf(want), want.err, documentOf(it, nil), resource.Attributes().AsRaw())
						}
						continue
					}
					if q.program == nil {
						t.Fatalf("%s should be evaluated natively", q.path)
					}
					v, err := in.evaluations[q.n].ask(in.view.document.Value())
					if err != nil {
						continue // OPA answers: that is allowed, and counted
					}
					native++
					got := q.read(v, nil)
					if (got.err != nil) != (want.err != nil) || !slices.Equal(namesOf(got), namesOf(want)) {
						if differing++; differing < 5 {
							t.Errorf("%s: %s natively %v (%v), by OPA %v (%v), of %v in %v", signal, q.path, namesOf(got), got.err, namesOf(want), want.err, documentOf(it, nil), resource.Attributes().AsRaw())
						}
					}
					if len(got.rules) > 0 {
						matched++
					}
				}
			}
			in.done()
		}
	}
	t.Logf("%d answers were native, %d of them rules; %d were told by a screen", native, matched, screened)
	if native < 10_000 || matched < 1000 || screened < 1000 {
		t.Error("too few answers were native, or told by a screen, to tell anything")
	}
}

// opas is OPA's answer, however busy the machine is: what takes longer than an evaluation
// may is asked again.
func opas(t *testing.T, q *question, in *place) answer {
	t.Helper()
	for range 100 {
		if a := q.byOPA(t.Context(), in.forOPA(q)); !errors.Is(a.err, policy.ErrTimeout) {
			return a
		}
	}
	t.Fatalf("OPA does not answer %s in time", q.path)
	return silence
}

// A key that is there twice, which the protocol does not rule out, has its first value
// in every form of the document.
func TestOfTwoValuesTheFirstCounts(t *testing.T) {
	td := ptrace.NewTraces()
	attributes := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Attributes()
	attributes.PutStr("a", "first")
	attributes.PutStr("other", "second")
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	td, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(strings.Replace(string(text), `"other"`, `"a"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	it := &spanItem{td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)}
	if it.Attributes().Len() != 2 {
		t.Fatal("the key is not there twice")
	}
	v := newView("traces")
	v.show(it)
	for form, got := range map[string]any{
		"document": documentOf(it, nil)["attributes"].(document)["a"],
		"view":     must(v.itsOwnAttrs.Member("a").Interface()),
	} {
		if got != "first" {
			t.Errorf("%s shows %v", form, got)
		}
	}
	if names := v.itsOwnAttrs.Names(); len(names) != 1 {
		t.Errorf("the names are %v", names)
	}
}

func must(v any, err error) any {
	if err != nil {
		panic(err)
	}
	return v
}

// Every name that a record tells has a value somewhere, and what has one is told.
func TestNamesAreTheMembers(t *testing.T) {
	for _, it := range []item{&spanItem{ptrace.NewSpan()}, &logItem{plog.NewLogRecord()}, &metricItem{pmetric.NewMetric()}} {
		v := newView("x")
		v.enter(pcommon.NewResource(), pcommon.NewInstrumentationScope())
		v.show(it)
		for name, r := range map[string]*compile.Record{"document": &v.document, "resource": &v.resource, "scope": &v.scope, "item": &v.item} {
			for _, member := range r.Names() {
				if !r.Member(member).IsDefined() {
					t.Errorf("%T: %s has no %s", it, name, member)
				}
			}
		}
		for member := range documentOf(it, nil) {
			if !slices.Contains(it.names(), member) {
				t.Errorf("%T: %s is not among the names", it, member)
			}
		}
	}
}
