// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const card = "4111 1111 1111 1111"

// alone is a set of one rule.
type alone struct{ *redact.Rule }

func (a alone) do(f func(*redact.Set, []int)) int {
	var counts [1]int
	f(redact.NewSet(a.Rule), counts[:])
	return counts[0]
}

func (a alone) Log(r plog.LogRecord) int {
	return a.do(func(s *redact.Set, n []int) { s.Log(r, n) })
}

func (a alone) Span(sp ptrace.Span) int {
	return a.do(func(s *redact.Set, n []int) { s.Span(sp, n) })
}

func (a alone) Metric(m pmetric.Metric) int {
	return a.do(func(s *redact.Set, n []int) { s.Metric(m, n) })
}

func (a alone) Resource(r pcommon.Resource) int {
	return a.do(func(s *redact.Set, n []int) { s.Resource(r, n) })
}

func (a alone) Scope(sc pcommon.InstrumentationScope) int {
	return a.do(func(s *redact.Set, n []int) { s.Scope(sc, n) })
}

func compile(t *testing.T, s redact.Spec) alone {
	t.Helper()
	r, err := redact.Compile("rule", s, []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	return alone{r}
}

func TestLogs(t *testing.T) {
	digits := `\d{4} \d{4} \d{4} \d{4}`
	tests := map[string]struct {
		spec        redact.Spec
		body, attrs any
		want        any // body
		wantAttrs   map[string]any
		changed     int
	}{
		"a pattern masks its matches in the body only when the body is named": {
			spec: redact.Spec{Action: redact.Mask, Fields: []string{"body"}, Pattern: digits},
			body: "paid with " + card + " twice " + card, attrs: map[string]any{"a": card},
			want: "paid with **** twice ****", wantAttrs: map[string]any{"a": card}, changed: 1,
		},
		"a structured body is searched at every depth": {
			spec:    redact.Spec{Action: redact.Mask, Fields: []string{"body"}, Pattern: digits},
			body:    map[string]any{"payment": map[string]any{"cards": []any{card, "none"}}},
			want:    map[string]any{"payment": map[string]any{"cards": []any{"****", "none"}}},
			changed: 1,
		},
		"one key of a structured body": {
			spec: redact.Spec{Action: redact.Mask, Fields: []string{"body.card"}},
			body: map[string]any{"card": card, "other": card},
			want: map[string]any{"card": "****", "other": card}, changed: 1,
		},
		"a key of a body that is no map finds nothing": {
			spec: redact.Spec{Action: redact.Mask, Fields: []string{"body.card"}}, body: card, want: card,
		},
		"without a pattern the whole structured body goes": {
			spec: redact.Spec{Action: redact.Mask, Fields: []string{"body"}},
			body: map[string]any{"a": int64(1)}, want: "****", changed: 1,
		},
		"remove empties the body": {
			spec: redact.Spec{Action: redact.Delete, Fields: []string{"body"}}, body: card, want: nil, changed: 1,
		},
		"remove with a pattern leaves a body without a match": {
			spec: redact.Spec{Action: redact.Delete, Fields: []string{"body"}, Pattern: digits}, body: "fine", want: "fine",
		},
		"remove takes matching elements out of lists and maps": {
			spec: redact.Spec{Action: redact.Delete, Fields: []string{"body"}, Pattern: digits},
			body: map[string]any{"list": []any{card, "b"}, "x": card},
			want: map[string]any{"list": []any{"b"}}, changed: 2,
		},
		"a literal key has its dots": {
			spec: redact.Spec{Action: redact.Delete, Fields: []string{"attributes.user.email"}},
			body: "b", attrs: map[string]any{"user.email": "a@b", "user.name": "n"},
			want: "b", wantAttrs: map[string]any{"user.name": "n"}, changed: 1,
		},
		"a star takes all keys with the prefix": {
			spec: redact.Spec{Action: redact.Mask, Fields: []string{"attributes.user.*"}},
			body: "b", attrs: map[string]any{"user.email": "a@b", "user.name": "n", "username": "n"},
			want: "b", wantAttrs: map[string]any{"user.email": "****", "user.name": "****", "username": "n"}, changed: 2,
		},
		"numbers, booleans and bytes are searched as text": {
			spec: redact.Spec{Action: redact.Mask, Fields: []string{"attributes.*"}, Pattern: `4111\d{12}|true`},
			attrs: map[string]any{"i": int64(4111111111111111), "y": []byte("n=4111111111111111"), "t": true,
				"d": 1.5, "e": nil},
			wantAttrs: map[string]any{"i": "****", "y": "n=****", "t": "****", "d": 1.5, "e": nil}, changed: 3,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			record := plog.NewLogRecord()
			if err := record.Body().FromRaw(test.body); err != nil {
				t.Fatal(err)
			}
			if m, ok := test.attrs.(map[string]any); ok {
				if err := record.Attributes().FromRaw(m); err != nil {
					t.Fatal(err)
				}
			}
			if got := compile(t, test.spec).Log(record); got != test.changed {
				t.Errorf("%d values changed, expected %d", got, test.changed)
			}
			if got := record.Body().AsRaw(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("body is %v, expected %v", got, test.want)
			}
			if got := record.Attributes().AsRaw(); test.wantAttrs != nil && !reflect.DeepEqual(got, test.wantAttrs) {
				t.Errorf("attributes are %v, expected %v", got, test.wantAttrs)
			}
		})
	}
}

func TestHashTellsValuesApartAndHidesThem(t *testing.T) {
	rule := compile(t, redact.Spec{Action: redact.Hash, Fields: []string{"attributes.*"}, Pattern: `[a-z]+@[a-z]+`})
	other, err := redact.Compile("rule", redact.Spec{Action: redact.Hash, Fields: []string{"attributes.*"}, Pattern: `[a-z]+@[a-z]+`}, []byte("other key"))
	if err != nil {
		t.Fatal(err)
	}
	hash := func(r alone, value string) string {
		record := plog.NewLogRecord()
		record.Attributes().PutStr("a", value)
		r.Log(record)
		v, _ := record.Attributes().Get("a")
		return v.Str()
	}
	a, b := hash(rule, "to alice@x"), hash(rule, "to bob@x")
	if a == b || a != hash(rule, "to alice@x") {
		t.Errorf("hashes %q and %q should differ and be stable", a, b)
	}
	if !strings.HasPrefix(a, "to ") || len(a) != len("to ")+16 || strings.Contains(a, "alice") {
		t.Errorf("%q should be the text with 16 digits in the place of the match", a)
	}
	if a == hash(alone{other}, "to alice@x") {
		t.Error("another key should give another hash")
	}
}

// Every place of an item in which a string can stand, all named by one rule.
func TestEveryFieldIsReached(t *testing.T) {
	all := redact.Spec{Action: redact.Mask, Pattern: "secret", Fields: []string{"body", "attributes.*", "events.*", "links.*",
		"resource.*", "scope.*", "name", "status", "event_name"}}
	rule := compile(t, all)

	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("k", "secret")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().Attributes().PutStr("k", "secret")
	span := ss.Spans().AppendEmpty()
	span.SetName("GET /secret")
	span.Status().SetMessage("secret")
	span.Attributes().PutStr("k", "secret")
	event := span.Events().AppendEmpty()
	event.SetName("secret")
	event.Attributes().PutStr("exception.message", "a secret")
	span.Links().AppendEmpty().Attributes().PutStr("k", "secret")
	if n := rule.Resource(rs.Resource()) + rule.Scope(ss.Scope()) + rule.Span(span); n != 8 {
		t.Errorf("%d values changed in the span, expected 8", n)
	}
	leak(t, (&ptrace.JSONMarshaler{}).MarshalTraces, traces)

	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName("secret")
	record.Body().SetStr("secret")
	record.Attributes().PutEmptyMap("m").PutStr("k", "secret")
	if n := rule.Log(record); n != 3 {
		t.Errorf("%d values changed in the log, expected 3", n)
	}
	leak(t, (&plog.JSONMarshaler{}).MarshalLogs, logs)

	metrics := pmetric.NewMetrics()
	list := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	put := func(m pcommon.Map) { m.PutStr("k", "secret") }
	g := list.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	put(g.Attributes())
	put(g.Exemplars().AppendEmpty().FilteredAttributes())
	put(list.AppendEmpty().SetEmptySum().DataPoints().AppendEmpty().Attributes())
	h := list.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty()
	put(h.Attributes())
	put(h.Exemplars().AppendEmpty().FilteredAttributes())
	e := list.AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	put(e.Attributes())
	put(e.Exemplars().AppendEmpty().FilteredAttributes())
	put(list.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().Attributes())
	put(list.At(0).Metadata())
	n := 0
	for i := range list.Len() {
		n += rule.Metric(list.At(i))
	}
	if n != 9 {
		t.Errorf("%d values changed in the metrics, expected 9", n)
	}
	leak(t, (&pmetric.JSONMarshaler{}).MarshalMetrics, metrics)
}

func leak[T any](t *testing.T, marshal func(T) ([]byte, error), data T) {
	t.Helper()
	text, err := marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "secret") {
		t.Errorf("the secret is still there: %s", text)
	}
}

func TestARuleThatFailsDeletesItsFieldsOrIsNone(t *testing.T) {
	for name, spec := range map[string]redact.Spec{
		"an unknown action":                     {Action: "blur", Fields: []string{"body"}},
		"a pattern that does not compile":       {Action: redact.Mask, Fields: []string{"body"}, Pattern: "("},
		"a pattern that matches the empty text": {Action: redact.Mask, Fields: []string{"body"}, Pattern: "x*"},
	} {
		t.Run(name, func(t *testing.T) {
			rule, err := redact.Compile("rule", spec, nil)
			if err == nil || rule == nil {
				t.Fatalf("rule %v, error %v: expected both", rule, err)
			}
			record := plog.NewLogRecord()
			record.Body().SetStr("anything")
			if (alone{rule}).Log(record); record.Body().Type() != pcommon.ValueTypeEmpty {
				t.Errorf("the body is %q, expected none", record.Body().AsString())
			}
		})
	}
	for name, fields := range map[string][]string{
		"no fields": nil, "an unknown field": {"body", "bdy"}, "a place without a key": {"attributes"}, "an empty key": {"scope."},
	} {
		t.Run(name, func(t *testing.T) {
			if rule, err := redact.Compile("rule", redact.Spec{Action: redact.Mask, Fields: fields}, nil); err == nil || rule != nil {
				t.Errorf("rule %v, error %v: expected no rule and an error", rule, err)
			}
		})
	}
}
