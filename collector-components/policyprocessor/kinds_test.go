// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// one is a span of one resource and scope.
func one(name string) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "orders")
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName(name)
	span.Attributes().PutStr("user", "alice")
	return td
}

func spanOf(td ptrace.Traces) ptrace.Span {
	return td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
}

func TestSetWritesFields(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", rules(`
		set["team"] := {"attributes.team": "shop", "resource.region": "eu", "scope.checked": true, "name": "renamed"} if input.item.name == "a"
		set["who"] := {"attributes.who": input.item.attributes.user, "attributes.n": 7, "attributes.f": 0.5, "attributes.list": ["x", 1]} if startswith(input.item.name, "a")
		redact["user"] := {"action": "mask", "fields": ["attributes.user"]}
	`))
	td, err := p.traces(t.Context(), one("a"))
	if err != nil {
		t.Fatal(err)
	}
	span := spanOf(td)
	if got, want := fmt.Sprint(span.Attributes().AsRaw()), "map[f:0.5 list:[x 1] n:7 team:shop user:**** who:alice]"; got != want {
		t.Errorf("attributes are %s, expected %s: rules see an item as it came", got, want)
	}
	if span.Name() != "renamed" {
		t.Errorf("name is %q", span.Name())
	}
	if got := td.ResourceSpans().At(0).Resource().Attributes().AsRaw()["region"]; got != "eu" {
		t.Errorf("region is %v", got)
	}
	if got := td.ResourceSpans().At(0).ScopeSpans().At(0).Scope().Attributes().AsRaw()["checked"]; got != true {
		t.Errorf("checked is %v", got)
	}
	p.expectCount(3, itemsMetric, "action=set", "rule=team") // the item, its scope and its resource
	td, _ = p.traces(t.Context(), one("b"))
	if n := spanOf(td).Attributes().Len(); n != 1 {
		t.Errorf("%d attributes where no rule holds", n)
	}
}

func TestASetRuleThatFailsSetsNothing(t *testing.T) {
	for name, rego := range map[string]string{
		"an unknown field":   `set["x"] := {"body.x": 1}`,
		"no object":          `set["x"] := "y"`,
		"no value":           `set["x"] := {"attributes.x": null}`,
		"a builtin's error":  `set["x"] := {"attributes.x": to_number(input.item.name)}`,
		"two values":         `set["x"] := {"attributes.x": v} if some v in [1, 2]`,
		"a name that is 7":   `set["x"] := {"name": 7}`,
		"nothing to set":     `set["x"] := {}`,
		"a set of set rules": `set contains "x"`,
	} {
		p := processorOn(t, ModeEnforce, "traces", rules(rego))
		td, err := p.traces(t.Context(), one("a"))
		if err != nil || td.SpanCount() != 1 || spanOf(td).Attributes().Len() != 1 || spanOf(td).Name() != "a" {
			t.Errorf("%s: %v, %d spans", name, err, td.SpanCount())
		}
		p.expectCount(1, failedMetric)
	}
}

func TestARouteIsThePolicysWord(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", rules(`route := "eu" if input.item.name == "a"`))
	td := one("a")
	spanOf(td).Attributes().PutStr(semconv.TelemetryRoute, "forged")
	td.ResourceSpans().At(0).Resource().Attributes().PutStr(semconv.TelemetryRoute, "forged")
	td, err := p.traces(t.Context(), td)
	if err != nil {
		t.Fatal(err)
	}
	if got := spanOf(td).Attributes().AsRaw()[semconv.TelemetryRoute]; got != "eu" {
		t.Errorf("route is %v, expected eu", got)
	}
	td = one("b")
	spanOf(td).Attributes().PutStr(semconv.TelemetryRoute, "forged")
	td.ResourceSpans().At(0).Resource().Attributes().PutStr(semconv.TelemetryRoute, "forged")
	td, _ = p.traces(t.Context(), td)
	if text, _ := (&ptrace.JSONMarshaler{}).MarshalTraces(td); strings.Contains(string(text), "forged") {
		t.Errorf("a sender chose its route: %s", text)
	}
	p.expectCount(1, itemsMetric, "action=routed", "rule=eu", "reason=rule")

	m := processorOn(t, ModeEnforce, "metrics", rules(`route := "m"`))
	md := pmetric.NewMetrics()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge()
	md, err = m.metrics(t.Context(), md)
	if err != nil {
		t.Fatal(err)
	}
	if got := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Metadata().AsRaw()[semconv.TelemetryRoute]; got != "m" {
		t.Errorf("a metric's route is %v", got)
	}
}

func TestARouteThatFailsDropsTheItem(t *testing.T) {
	for name, rego := range map[string]string{
		"two routes":        "route := \"a\" if input.item.name == \"a\"\nroute := \"b\" if input.item.attributes.user == \"alice\"",
		"a builtin's error": `route := "a" if to_number(input.item.name) > 1`,
		"no name":           `route := 7`,
		"an empty name":     `route := ""`,
	} {
		p := processorOn(t, ModeEnforce, "traces", rules(rego))
		if td, _ := p.traces(t.Context(), one("a")); td.SpanCount() != 0 {
			t.Errorf("%s: the span goes on, to whom it may not concern", name)
		}
		p.expectCount(1, itemsMetric, "action=dropped", "rule=_route", "reason=evaluation")
	}
}

func TestSamplingIsConsistentAndSaysSo(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", rules(`
		sample["quarter"] := 0.25 if input.item.name == "a"
		sample["half"] := 0.5
	`))
	const traces = 20_000
	for name, ratio := range map[string]float64{"a": 0.25, "b": 0.5} {
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for i := range traces {
			for range 2 {
				s := spans.AppendEmpty()
				s.SetName(name)
				var id [16]byte
				binary.BigEndian.PutUint64(id[8:], uint64(i)*0x9e3779b97f4a7c15)
				id[0] = 1
				s.SetTraceID(id)
			}
		}
		td, err := p.traces(t.Context(), td)
		if err != nil {
			t.Fatal(err)
		}
		kept := map[pcommon.TraceID]int{}
		for _, s := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			kept[s.TraceID()]++
			th, ok, _, _ := tracestate.Parse(s.TraceState().AsRaw())
			if !ok || math.Abs(tracestate.Probability(th)-ratio) > 1e-4 {
				t.Fatalf("tracestate is %q, expected the threshold of %v", s.TraceState().AsRaw(), ratio)
			}
		}
		if got := float64(len(kept)) / traces; math.Abs(got-ratio) > 0.02 {
			t.Errorf("%v of the traces are kept, expected %v", got, ratio)
		}
		for id, n := range kept {
			if n != 2 {
				t.Fatalf("of trace %v one span is kept and one is not", id)
			}
		}
		before := td.SpanCount()
		if td, _ = p.traces(t.Context(), td); td.SpanCount() != before {
			t.Errorf("sampled again %d of %d spans are left: once is as good as twice", td.SpanCount(), before)
		}
	}
}

func TestRecordsOfATraceAreSampledWithIt(t *testing.T) {
	p := processorOn(t, ModeEnforce, "logs", rules(`sample["half"] := 0.5`))
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range 4000 {
		r := records.AppendEmpty()
		if i < 2000 {
			r.SetTraceID([16]byte{1, 8: 0, 9: byte(i % 200), 10: 7})
		}
	}
	ld, err := p.logs(t.Context(), ld)
	if err != nil {
		t.Fatal(err)
	}
	traced, untraced := 0, 0
	for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		if r.TraceID().IsEmpty() {
			untraced++
		} else if traced++; r.TraceID()[9] < 128 {
			t.Fatalf("randomness %x is below the threshold", r.TraceID()[9])
		}
		if got := r.Attributes().AsRaw()[samplingThreshold]; got != "8" {
			t.Fatalf("%s is %v, expected 8, which is half", samplingThreshold, got)
		}
	}
	if traced != 720 || untraced < 850 || untraced > 1150 {
		t.Errorf("%d records of traces and %d others are left, expected 720 and about 1000", traced, untraced)
	}
	before := ld.LogRecordCount()
	if ld, _ = p.logs(t.Context(), ld); ld.LogRecordCount() != before {
		t.Error("sampled twice is more than once")
	}
}

func TestASampleThatFailsKeeps(t *testing.T) {
	for name, rego := range map[string]string{
		"above 1":           `sample["x"] := 2`,
		"below 0":           `sample["x"] := -1`,
		"no number":         `sample["x"] := "0"`,
		"a builtin's error": `sample["x"] := to_number(input.item.name)`,
	} {
		p := processorOn(t, ModeEnforce, "traces", rules(rego))
		td := one("a")
		spanOf(td).SetTraceID([16]byte{1})
		if td, err := p.traces(t.Context(), td); err != nil || td.SpanCount() != 1 {
			t.Errorf("%s: the span is gone, error %v", name, err)
		}
		p.expectCount(1, failedMetric)
	}
}

func TestADryRunAnnotatesAndDoesNothing(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", rules(`
		dry_run := {"noise", "card", "tag", "some", "eu"}
		drop contains "noise"
		redact["card"] := {"action": "mask", "fields": ["attributes.*"]}
		set["tag"] := {"attributes.tag": 1}
		sample["some"] := 0
		route := "eu"
	`))
	td := one("a")
	spanOf(td).SetTraceID([16]byte{1})
	td, err := p.traces(t.Context(), td)
	if err != nil || td.SpanCount() != 1 {
		t.Fatalf("error %v with %d spans, expected one", err, td.SpanCount())
	}
	attributes := spanOf(td).Attributes().AsRaw()
	if got, want := fmt.Sprint(attributes[semconv.PolicyDryRun]), "[drop:noise sample:some redact:card set:tag route:eu]"; got != want {
		t.Errorf("the annotation is %s, expected %s", got, want)
	}
	if len(attributes) != 2 || attributes["user"] != "alice" {
		t.Errorf("attributes are %v: a dry run changes nothing else", attributes)
	}
	p.expectCount(1, itemsMetric, "action=dropped", "rule=noise", "reason=dry_run")
	p.expectCount(0, itemsMetric, "reason=rule")
	all := processorOn(t, ModeEnforce, "traces", rules("dry_run contains \"*\"\ndrop contains \"noise\""))
	if td, err := all.traces(t.Context(), one("a")); err != nil || td.SpanCount() != 1 {
		t.Errorf("error %v: the star is all rules", err)
	}
}

func TestObservingCountsAndTakesNoRulesThatAct(t *testing.T) {
	p := processorOn(t, ModeObserve, "traces", rules(`observe contains "orders" if input.resource.attributes["service.name"] == "orders"`))
	td := one("a")
	td.MarkReadOnly() // as a collector does for what several pipelines share
	if _, err := p.traces(t.Context(), td); err != nil {
		t.Fatal(err)
	}
	p.expectCount(1, itemsMetric, "action=observed", "rule=orders")
	p.expectCount(1, matchesMetric, "action=observed", "rule=orders")
	p.expectCount(1, seenMetric)

	updates := p.engine.Updates(t.Context())
	p.source.Set(policy.Bundle{Name: "telemetry", Revision: "2", Files: rules(`drop contains "all"`)})
	<-updates
	if td, err := p.traces(t.Context(), td); err != nil || td.SpanCount() != 1 {
		t.Errorf("error %v: the last good bundle stays", err)
	}
	p.expectCount(2, itemsMetric, "action=observed", "rule=orders")

	fresh := processorOn(t, ModeObserve, "traces", rules(`drop contains "all"`))
	if _, err := fresh.traces(t.Context(), td); status.Code(err) != codes.Unavailable {
		t.Errorf("error is %v: without a good bundle the sender tries again", err)
	}
	fresh.expectCount(1, refusedMetric, "reason=bundle_refused")
	for _, mode := range []string{ModeObserve, ModeEnforce, ModeClaims} {
		if got := folder(t, mode, "package x"); got.Mode != mode {
			t.Fatal(got.Mode)
		}
	}
}

func TestWhoIsCountedByWhichRule(t *testing.T) {
	p := processorOn(t, ModeEnforce, "logs", rules(`
		drop contains "a" if contains(input.item.body, "a")
		drop contains "b" if contains(input.item.body, "b")
		keep contains "k" if contains(input.item.body, "k")
		observe contains "o" if contains(input.item.body, "o")
	`))
	if _, err := p.logs(t.Context(), records("ab", "abk", "o", "", "oa")); err != nil {
		t.Fatal(err)
	}
	p.expectCount(5, seenMetric, "otelcol.signal=logs")
	for rule, n := range map[string]int64{"a": 3, "b": 2, "k": 1, "o": 2} {
		p.expectCount(n, matchesMetric, "rule="+rule)
	}
	p.expectCount(2, itemsMetric, "action=dropped")
	p.expectCount(1, itemsMetric, "action=kept")
}
