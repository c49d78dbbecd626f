// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// counting is a policy that counts how often it is asked.
type counting struct {
	evaluator
	evaluations int
}

func (c *counting) Eval(ctx context.Context, path string, input any) (any, bool, error) {
	c.evaluations++
	return c.evaluator.Eval(ctx, path, input)
}

// TestAnAnswerIsKeptForItemsThatAreTheSameToTheRules compares what OPA said of items that
// were the same to a rule with what it says of each. The rules say nothing else than
// before, by what is not lowered.
func TestAnAnswerIsKeptForItemsThatAreTheSameToTheRules(t *testing.T) {
	p := processorOn(t, ModeEnforce, "logs", leftToOPA(`
		slow(x) := y if { walk({"v": x}, [["v"], y]); count(opa) == 1 }
		drop contains "a" if slow(input.item.attributes.a) == 1
		drop contains "text" if slow(input.item.attributes.a) == "1"
		drop contains "yes" if slow(input.item.attributes.b)
		drop contains "resource" if slow(input.resource.attributes["service.name"]) == "noisy"
		keep contains "fatal" if slow(input.item.severity_number) == 21
		redact["m"] := {"action": "mask", "fields": ["body"]} if slow(input.scope.name) == "secret"
	`))
	policy := &counting{evaluator: p.engine.Snapshot()}
	e := p.work.(*enforcer)
	book, err := newRulebook(policy, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range book.list {
		if q.program != nil {
			t.Fatalf("%s should be OPA's", q.path)
		}
	}
	policy.evaluations = 0
	items := 0
	for range 3 {
		for _, service := range []string{"noisy", "orders"} {
			for _, scope := range []string{"secret", "open"} {
				for i, a := range []any{int64(1), "1", 1.0, true, nil, "absent", map[string]any{"x": int64(1)}} {
					for severity := range 2 {
						r := plog.NewLogRecord()
						r.Body().SetStr(fmt.Sprint("body ", items))
						if a != "absent" {
							if err := r.Attributes().PutEmpty("a").FromRaw(a); err != nil {
								t.Fatal(err)
							}
						}
						if i%2 == 0 {
							r.Attributes().PutBool("b", severity == 0)
						}
						r.SetSeverityNumber(plog.SeverityNumber(20 + severity))
						resource, sc := pcommon.NewResource(), pcommon.NewInstrumentationScope()
						resource.Attributes().PutStr("service.name", service)
						sc.SetName(scope)
						in := e.within(t.Context(), book)
						in.enter(resource, sc)
						in.show(&logItem{r})
						for _, q := range book.list {
							got := in.answer(q)
							want := opas(t, &question{kind: q.kind, name: q.name, path: q.path, rules: q.rules, policy: p.engine.Snapshot()}, in)
							if got.err != nil || want.err != nil || fmt.Sprint(namesOf(got)) != fmt.Sprint(namesOf(want)) {
								t.Fatalf("%s of a=%v b=%v severity=%d service=%s scope=%s: %v, expected %v", q.path, a, i%2, severity, service, scope, namesOf(got), namesOf(want))
							}
						}
						items++
					}
				}
			}
		}
	}
	if policy.evaluations > items {
		t.Errorf("%d evaluations of three questions for %d items in three rounds: two rounds should need none", policy.evaluations, items)
	}
}

func namesOf(a answer) (names []string) {
	for _, r := range a.rules {
		names = append(names, r.name)
	}
	return names
}

// Whatever a rule can see of an item must be in the key, if a rule looks at it.
func TestEveryFieldOfADocumentIsInTheKey(t *testing.T) {
	span, record, m := ptrace.NewSpan(), plog.NewLogRecord(), pmetric.NewMetric()
	for name, test := range map[string]struct {
		item   item
		change func()
	}{
		"span": {&spanItem{span}, func() {
			span.SetName("n")
			span.SetKind(ptrace.SpanKindClient)
			span.Status().SetMessage("m")
			span.Attributes().PutStr("a", "b")
			span.Events().AppendEmpty().SetName("e")
			span.Links().AppendEmpty()
			span.SetEndTimestamp(7)
			span.SetParentSpanID([8]byte{1})
		}},
		"log": {&logItem{record}, func() {
			record.Body().SetStr("b")
			record.SetSeverityText("s")
			record.SetSeverityNumber(3)
			record.SetEventName("e")
			record.Attributes().PutStr("a", "b")
		}},
		"metric": {&metricItem{m}, func() {
			m.SetName("n")
			m.SetUnit("s")
			m.SetDescription("d")
			m.SetEmptySum().SetIsMonotonic(true)
			m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		}},
	} {
		before := documentOf(test.item, nil)
		keys := map[string][]byte{}
		for field := range before {
			keys[field] = newMemo([][]string{{"item", field}}).key(nil, test.item)
		}
		test.change()
		after := documentOf(test.item, nil)
		for field := range before {
			if reflect.DeepEqual(before[field], after[field]) {
				t.Errorf("%s: the test changes no %s", name, field)
			}
			if bytes.Equal(keys[field], newMemo([][]string{{"item", field}}).key(nil, test.item)) {
				t.Errorf("%s: the key does not tell one %s from another", name, field)
			}
		}
	}
}

func TestValuesOfDifferentTypesHaveDifferentKeys(t *testing.T) {
	seen := map[string]any{}
	for _, raw := range []any{
		nil, "", "1", int64(1), 1.0, true, false, []byte("1"), []any{}, []any{"1"}, []any{"1", "2"}, []any{[]any{"1"}, "2"}, []any{"12"},
		map[string]any{}, map[string]any{"1": "2"}, map[string]any{"1": nil}, map[string]any{"12": ""},
	} {
		v := pcommon.NewValueEmpty()
		if err := v.FromRaw(raw); err != nil {
			t.Fatal(err)
		}
		key := string(appendValue(nil, v))
		if other, twice := seen[key]; twice {
			t.Errorf("%v and %v have the same key", raw, other)
		}
		seen[key] = raw
	}
}

func TestRulesThatLookAtAllOfAnItemKeepNoAnswers(t *testing.T) {
	for _, parts := range [][][]string{{{}}, {{"item"}}, {{"signal"}, {"item"}}} {
		if newMemo(parts) != nil {
			t.Errorf("%q is all of an item", parts)
		}
	}
	if newMemo(nil) == nil {
		t.Error("rules that look at nothing have one answer")
	}
}

func TestAMemoIsBoundedAndRestsWhenItIsOfNoUse(t *testing.T) {
	m := newMemo([][]string{{"item", "body"}})
	resting := 0
	for i := range 3 * maxAnswers {
		key := fmt.Append(nil, i)
		_, found, worth := m.find(key)
		if found {
			t.Fatal("no key comes twice")
		}
		if !worth {
			resting++
			continue
		}
		m.put(string(key), answer{})
		if len(m.kept) > maxAnswers {
			t.Fatalf("%d answers kept, expected at most %d", len(m.kept), maxAnswers)
		}
	}
	if resting != 3*maxAnswers-maxAnswers-1 {
		t.Errorf("%d lookups were spared, expected all after the memo was full", resting)
	}
	if _, _, worth := newMemo(nil).find(make([]byte, maxKeyBytes+1)); worth {
		t.Error("a long key is not worth keeping")
	}
}
