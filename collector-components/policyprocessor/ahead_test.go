// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// walking are rules that are not lowered, because all rules below a path are one value in them, of
// every kind and about every place.
const walking = `
opa.only.so := true
holds(x) if { walk({"v": x}, [["v"], _]); count(opa) == 1 }
drop contains "walked" if { walk(input.item.attributes, [_, "x"]); count(opa) == 1 }
observe contains input.item.name if { walk(input.item.name, [_, "health"]); count(opa) == 1 }
observe contains "code" if { walk(input.item.status.code, [_, "ok"]); count(opa) == 1 }
observe contains "body" if { walk(input.item.body.k, [_, "secret"]); count(opa) == 1 }
observe contains "deep" if { walk(input.item.attributes.a.x, [_, null]); count(opa) == 1 }
observe contains "absent" if { not input.item.attributes.b; holds(input.item.name) }
observe contains "resource" if { walk(input.resource.attributes["service.name"], [_, "x"]); count(opa) == 1 }
observe contains "scope" if { walk([input.scope.name, input.scope.version], [_, "s"]); count(opa) == 1 }
observe contains "signal" if { walk(input.signal, [_, "logs"]); count(opa) == 1 }
sample["half"] := 0.5 if { walk(input.item.attributes["a.b"], [_, true]); count(opa) == 1 }
sample["wrong"] := input.item.attributes.b if holds(1)
set["named"] := {"attributes.named": input.item.name} if { walk(input.item.severity_number, [_, 7]); count(opa) == 1 }
redact["r"] := {"action": "mask", "fields": ["attributes.*"]} if { every v in input.item.attributes { v != "x" }; holds(1) }
default route := ""
route := "r" if { walk(input.item.kind, [_, "server"]); count(opa) == 1 }
`

// TestWhatIsAskedBeforehandIsWhatEachItemWouldHaveHeard asks OPA about generated batches in
// rows, and about each of their items.
func TestWhatIsAskedBeforehandIsWhatEachItemWouldHaveHeard(t *testing.T) {
	c := newChance(11)
	told, said, failed := 0, 0, 0
	for signal, each := range batchesOf(c) {
		for _, policy := range []string{walking, looking + walking} {
			policy = strings.Replace(policy, "route := \"r\" if input.item.attributes.b == true\n", "", 1)
			p := processorOn(t, ModeEnforce, signal, rules(policy))
			e := p.work.(*enforcer)
			book, err := newRulebook(p.engine.Snapshot(), nil, false)
			if err != nil {
				t.Fatal(err)
			}
			for range 4 {
				walk := each()
				in := e.within(t.Context(), book)
				in.foretell(func(f func(item)) { walk(in, f) })
				walk(in, func(it item) {
					in.show(it)
					for _, q := range book.list {
						got, ok := in.foretold(q)
						if !ok {
							continue
						}
						want := opas(t, q, in)
						told++
						if len(got.rules) > 0 {
							said++
						}
						if got.err != nil {
							failed++
						}
						if fmt.Sprint(got.err) != fmt.Sprint(want.err) || !slices.Equal(namesOf(got), namesOf(want)) {
							t.Fatalf("%s: %s beforehand %v (%v), by itself %v (%v), of %v", signal, q.path, namesOf(got), got.err, namesOf(want), want.err, documentOf(it, nil))
						}
					}
				})
				in.done()
			}
		}
	}
	t.Logf("%d answers, %d with rules, %d that cannot be understood", told, said, failed)
	if told < 20_000 || said < 5000 || failed == 0 {
		t.Error("too few answers to tell anything")
	}
}

// batchesOf makes batches of each signal, and what visits their items.
func batchesOf(c chance) map[string]func() func(*place, func(item)) {
	return map[string]func() func(*place, func(item)){
		"traces": func() func(*place, func(item)) {
			td := ptrace.NewTraces()
			for range 3 {
				rs := td.ResourceSpans().AppendEmpty()
				for range 2 {
					ss := rs.ScopeSpans().AppendEmpty()
					c.place(rs.Resource(), ss.Scope())
					for range 40 {
						c.span(ss.Spans().AppendEmpty())
					}
				}
			}
			return func(p *place, f func(item)) { p.eachSpan(td, f) }
		},
		"logs": func() func(*place, func(item)) {
			ld := plog.NewLogs()
			for range 3 {
				rl := ld.ResourceLogs().AppendEmpty()
				sl := rl.ScopeLogs().AppendEmpty()
				c.place(rl.Resource(), sl.Scope())
				for range 100 {
					c.record(sl.LogRecords().AppendEmpty())
				}
			}
			return func(p *place, f func(item)) { p.eachRecord(ld, f) }
		},
		"metrics": func() func(*place, func(item)) {
			md := pmetric.NewMetrics()
			for range 3 {
				rm := md.ResourceMetrics().AppendEmpty()
				sm := rm.ScopeMetrics().AppendEmpty()
				c.place(rm.Resource(), sm.Scope())
				for range 100 {
					c.metric(sm.Metrics().AppendEmpty())
				}
			}
			return func(p *place, f func(item)) { p.eachMetric(md, f) }
		},
	}
}

// numbered are spans of one place, with a number each.
func numbered(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		s := spans.AppendEmpty()
		s.SetName("span")
		s.SetEndTimestamp(pcommon.Timestamp(i)) //nolint:gosec // small
	}
	return td
}

// TestItemsThatDifferAreFewEvaluations counts them.
func TestItemsThatDifferAreFewEvaluations(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", leftToOPA(`drop contains "x" if { walk(input.item.duration_ns, [_, 7]); count(opa) == 1 }`))
	policy := &counting{evaluator: p.engine.Snapshot()}
	e := p.work.(*enforcer)
	book, err := newRulebook(policy, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	e.book.Store(&opened{of: p.engine.Snapshot(), book: book})
	td, err := p.traces(t.Context(), numbered(3*maxRows+1))
	if err != nil || td.SpanCount() != 3*maxRows {
		t.Fatalf("%d spans are left, %v", td.SpanCount(), err)
	}
	if policy.evaluations > maxRows { // of one evaluation that a busy machine did not give its time
		t.Errorf("%d items were asked about one by one", policy.evaluations)
	}
}

// TestAnErrorOfOneItemIsOfNoOther has one in the second evaluation of three.
func TestAnErrorOfOneItemIsOfNoOther(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", leftToOPA(`
		drop contains "x" if { walk(input.item.duration_ns, [_, n]); 1 / (n - 300) > 0; count(opa) == 1 }`))
	td, err := p.traces(t.Context(), numbered(3*maxRows))
	if err != nil || td.SpanCount() != 301 {
		t.Errorf("%d spans are left, expected those up to the one that divides by nothing, which stays too: %v", td.SpanCount(), err)
	}
	p.expectCount(1, failedMetric)
	p.expectCount(3*maxRows-301, itemsMetric, "action=dropped", "rule=x")
}

// TestABatchThatEndsIsNotAsked has a context that ended.
func TestABatchThatEndsIsNotAsked(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", leftToOPA(`drop contains "x" if { walk(input.item.duration_ns, [_, 7]); count(opa) == 1 }`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.traces(ctx, numbered(10)); err == nil {
		t.Error("its items were answered")
	}
}

// TestRulesThatTakeLongAreAskedOneByOne runs out of time twice: after it the question rests,
// and its items, each of which is in time, have their answers still.
func TestRulesThatTakeLongAreAskedOneByOne(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", leftToOPA(`
		drop contains "x" if { walk(input.item.duration_ns, [_, n]); count(numbers.range(n, n + 4000)) == 0; count(opa) == 1 }`))
	e := p.work.(*enforcer)
	if _, err := p.traces(t.Context(), numbered(2*maxRows)); err != nil {
		t.Fatal(err)
	}
	if q := e.book.Load().book.list[0]; q.rows == nil || !q.rests() {
		t.Error("the question does not rest")
	}
}

// TestTheLogTellsWhatOPAEvaluates has a rule of each path.
func TestTheLogTellsWhatOPAEvaluates(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", leftToOPA(`
		observe contains "native" if input.item.name == "a"
		drop contains "rows" if { input.item.name == "a"; count(opa) == 1 }
		keep contains "kept" if { input.item.name == "a"; count(opa) == 1 }
		route := "x" if "native" in observe with input.item.name as "a"
	`))
	book, err := newRulebook(p.engine.Snapshot(), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	book.tellPaths(zap.New(core))
	if got, want := fmt.Sprint(logs.All()[0].ContextMap()), "map[of_each_item:[otelplat.telemetry.keep: asked only of what is dropped otelplat.telemetry.route: compile: telemetry.rego:6: with] of_many_items_at_once:[otelplat.telemetry.drop] rules:3]"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}
