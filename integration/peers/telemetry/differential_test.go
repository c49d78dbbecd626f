// SPDX-License-Identifier: Apache-2.0

package telemetry_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor"
	"github.com/otelplat/platform/collector-components/policyprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
)

// condition is one thing to ask of an item, in both languages.
type condition struct{ ottl, rego string }

// asker makes conditions at random. Where the two languages differ in what a comparison
// of a missing or ill-typed value is, the condition says what it means.
type asker struct {
	*rand.Rand
	signal string
}

var (
	diffKeys   = []string{"a", "a.b", "http.route", "n", "m", "flag", "missing"}
	diffTexts  = []string{"x", "", "/healthz", "/orders/1", "ab", "a.b", "7"}
	diffBounds = []int{-1, 0, 7, 499, 500}
)

func (r asker) of(list []string) string { return list[r.IntN(len(list))] }

func (r asker) condition(depth int) condition {
	if depth > 0 && r.IntN(3) == 0 {
		a, b := r.condition(depth-1), r.condition(0)
		return condition{fmt.Sprintf("(%s) and (%s)", a.ottl, b.ottl), a.rego + "\n\t" + b.rego}
	}
	key, text := r.of(diffKeys), r.of(diffTexts)
	resource, ottlAt, regoAt := r.IntN(4) == 0 || r.signal == "metrics", "attributes", "input.item.attributes"
	if resource {
		ottlAt, regoAt = "resource.attributes", "input.resource.attributes"
	}
	o, g := fmt.Sprintf("%s[%q]", ottlAt, key), fmt.Sprintf("%s[%q]", regoAt, key)
	switch r.IntN(12) {
	case 0, 1:
		return condition{fmt.Sprintf("%s == %q", o, text), fmt.Sprintf("%s == %q", g, text)}
	case 2:
		n := diffBounds[r.IntN(len(diffBounds))]
		return condition{fmt.Sprintf("%s == %d", o, n), fmt.Sprintf("%s == %d", g, n)}
	case 3:
		n := diffBounds[r.IntN(len(diffBounds))]
		sign := r.of([]string{"<", "<=", ">", ">="})
		return condition{fmt.Sprintf("(IsInt(%[1]s) or IsDouble(%[1]s)) and %[1]s %[2]s %[3]d", o, sign, n), fmt.Sprintf("is_number(%[1]s)\n\t%[1]s %[2]s %[3]d", g, sign, n)}
	case 4:
		return condition{o + " == nil", fmt.Sprintf("object.get(%s, %q, null) == null", regoAt, key)}
	case 5:
		return condition{o + " != nil", g + " != null"}
	case 6:
		return condition{o + " == true", g + " == true"}
	case 7:
		pattern := r.of([]string{"^/health", "b$", "^$", "[0-9]+", "a.b"})
		return condition{fmt.Sprintf("IsString(%[1]s) and IsMatch(%[1]s, %[2]q)", o, pattern), fmt.Sprintf("is_string(%[1]s)\n\tregex.match(%[2]q, %[1]s)", g, pattern)}
	case 8:
		return condition{fmt.Sprintf("not (%s == %q)", o, text), fmt.Sprintf("not %s == %q", g, text)}
	case 9:
		return condition{fmt.Sprintf("IsMap(%[1]s[\"m\"]) and %[1]s[\"m\"][\"x\"] == %[2]q", ottlAt, text), fmt.Sprintf("%s.m.x == %q", regoAt, text)}
	}
	return r.own(text)
}

// own is a condition on a field that only items of the signal have.
func (r asker) own(text string) condition {
	switch r.signal {
	case "traces":
		return []condition{
			{fmt.Sprintf("name == %q", text), fmt.Sprintf("input.item.name == %q", text)},
			{"kind == SPAN_KIND_SERVER", `input.item.kind == "server"`},
			{"status.code == STATUS_CODE_ERROR", `input.item.status.code == "error"`},
			{`IsMatch(name, "^/")`, `startswith(input.item.name, "/")`},
			{`IsRootSpan()`, `input.item.root`},
		}[r.IntN(5)]
	case "logs":
		return []condition{
			{fmt.Sprintf("IsString(body) and body == %q", text), fmt.Sprintf("input.item.body == %q", text)},
			{"severity_number < SEVERITY_NUMBER_WARN", "input.item.severity_number < 13"},
			{fmt.Sprintf("severity_text == %q", text), fmt.Sprintf("input.item.severity_text == %q", text)},
			{`IsString(body) and IsMatch(body, "health")`, "is_string(input.item.body)\n\tcontains(input.item.body, \"health\")"},
			{fmt.Sprintf("IsMap(body) and body[\"x\"] == %q", text), fmt.Sprintf("input.item.body.x == %q", text)},
		}[r.IntN(5)]
	}
	return []condition{
		{fmt.Sprintf("name == %q", text), fmt.Sprintf("input.item.name == %q", text)},
		{"type == METRIC_DATA_TYPE_SUM", `input.item.type == "sum"`},
		{fmt.Sprintf("unit == %q", text), fmt.Sprintf("input.item.unit == %q", text)},
	}[r.IntN(3)]
}

// fill puts attributes of all types under the keys that conditions ask for.
func (r asker) fill(m pcommon.Map) {
	values := []any{"x", "", "/healthz", "/orders/1", "ab", "7", 7, 0, 499, 500, 501, 7.0, 0.5, 499.5, true, false, nil,
		[]byte("ab"), []any{"x"}, map[string]any{"x": "x"}, map[string]any{"x": 7}, map[string]any{}}
	for _, key := range diffKeys[:len(diffKeys)-1] {
		if r.IntN(3) > 0 {
			if err := m.PutEmpty(key).FromRaw(values[r.IntN(len(values))]); err != nil {
				panic(err)
			}
		}
	}
}

func (r asker) traces() ptrace.Traces {
	td := ptrace.NewTraces()
	for range 1 + r.IntN(2) {
		rs := td.ResourceSpans().AppendEmpty()
		r.fill(rs.Resource().Attributes())
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		for range 1 + r.IntN(8) {
			s := spans.AppendEmpty()
			s.SetName(r.of(diffTexts))
			s.SetKind(ptrace.SpanKind(r.IntN(6)))              //nolint:gosec // a few
			s.Status().SetCode(ptrace.StatusCode(r.IntN(3)))   //nolint:gosec // a few
			s.SetParentSpanID(pcommon.SpanID{byte(r.IntN(2))}) //nolint:gosec // a few
			r.fill(s.Attributes())
		}
	}
	return td
}

func (r asker) logs() plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	r.fill(rl.Resource().Attributes())
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for range 1 + r.IntN(8) {
		l := records.AppendEmpty()
		body := []any{"x", "", "a /healthz b", 7, nil, map[string]any{"x": "x"}, []any{"x"}}[r.IntN(7)]
		if err := l.Body().FromRaw(body); err != nil {
			panic(err)
		}
		l.SetSeverityNumber(plog.SeverityNumber(r.IntN(25))) //nolint:gosec // a few
		l.SetSeverityText(r.of(diffTexts))
		r.fill(l.Attributes())
	}
	return ld
}

func (r asker) metrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	for range 1 + r.IntN(2) {
		rm := md.ResourceMetrics().AppendEmpty()
		r.fill(rm.Resource().Attributes())
		list := rm.ScopeMetrics().AppendEmpty().Metrics()
		for range 1 + r.IntN(8) {
			m := list.AppendEmpty()
			m.SetName(r.of(diffTexts))
			m.SetUnit(r.of(diffTexts))
			if r.IntN(2) == 0 {
				r.fill(m.SetEmptySum().DataPoints().AppendEmpty().Attributes())
			} else {
				r.fill(m.SetEmptyGauge().DataPoints().AppendEmpty().Attributes())
			}
		}
	}
	return md
}

// TestRulesInOTTLAndInRegoDropTheSame asks contrib's filter and ours about the same
// batches, by rules that were written for both.
func TestRulesInOTTLAndInRegoDropTheSame(t *testing.T) {
	const sets, batches, rules = 60, 56, 4 // 60 × 56 × 3 signals
	compared, differing, dropped, items := 0, 0, 0, 0
	for set := range sets {
		for _, signal := range []string{"traces", "logs", "metrics"} {
			r := asker{rand.New(rand.NewPCG(uint64(set), 1)), signal}
			var ottl []any
			var rego strings.Builder
			rego.WriteString("package otelplat.telemetry\n")
			for n := range rules {
				c := r.condition(2)
				ottl = append(ottl, c.ottl)
				fmt.Fprintf(&rego, "drop contains \"r%d\" if {\n\t%s\n}\n", n, c.rego)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "telemetry.rego"), []byte(rego.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			item := map[string]string{"traces": "span", "logs": "log_record", "metrics": "metric"}[signal]
			theirs := through(t, filterprocessor.NewFactory(), signal, map[string]any{"error_mode": "ignore", signal: map[string]any{item: ottl}})
			ours := through(t, policyprocessor.NewFactory(), signal, map[string]any{"directory": dir})
			for range batches {
				var data any
				switch signal {
				case "traces":
					data = r.traces()
				case "logs":
					data = r.logs()
				case "metrics":
					data = r.metrics()
				}
				want, before, after := theirs(t, data)
				got, _, _ := ours(t, data)
				compared++
				items, dropped = items+before, dropped+before-after
				if !bytes.Equal(got, want) {
					if differing++; differing < 4 {
						t.Errorf("%s differ\nOTTL %q\n%s\nleft by OTTL %s\nleft by Rego %s", signal, ottl, rego.String(), want, got)
					}
				}
			}
		}
	}
	t.Logf("%d batches of %d items, %d dropped; %d differ", compared, items, dropped, differing)
	if compared < 10_000 || dropped < items/10 || dropped > items*9/10 {
		t.Error("too few batches, or too few were dropped or left, to tell anything")
	}
}

// through makes a processor and returns what it leaves of a copy of a batch, as JSON,
// and how many items there were and are.
func through(t *testing.T, f processor.Factory, signal string, config map[string]any) func(*testing.T, any) (left []byte, before, after int) {
	t.Helper()
	cfg := f.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(config).Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
	set := processortest.NewNopSettings(f.Type())
	start := func(c component.Component) {
		if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { shutdown(t, c) })
	}
	patiently := func(consume func() error) { // the bundle is read beside it
		deadline := time.Now().Add(30 * time.Second)
		for err := consume(); err != nil; err = consume() {
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
			<-time.After(time.Millisecond)
		}
	}
	switch signal {
	case "traces":
		sink := &consumertest.TracesSink{}
		p, err := f.CreateTraces(t.Context(), set, cfg, sink)
		if err != nil {
			t.Fatal(err)
		}
		start(p)
		return func(t *testing.T, data any) ([]byte, int, int) {
			sink.Reset()
			td := data.(ptrace.Traces)
			patiently(func() error {
				mine := ptrace.NewTraces()
				td.CopyTo(mine)
				return p.ConsumeTraces(t.Context(), mine)
			})
			out := ptrace.NewTraces()
			for _, left := range sink.AllTraces() {
				out = left
			}
			text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(out)
			if err != nil {
				t.Fatal(err)
			}
			return text, td.SpanCount(), out.SpanCount()
		}
	case "logs":
		sink := &consumertest.LogsSink{}
		p, err := f.CreateLogs(t.Context(), set, cfg, sink)
		if err != nil {
			t.Fatal(err)
		}
		start(p)
		return func(t *testing.T, data any) ([]byte, int, int) {
			sink.Reset()
			ld := data.(plog.Logs)
			patiently(func() error {
				mine := plog.NewLogs()
				ld.CopyTo(mine)
				return p.ConsumeLogs(t.Context(), mine)
			})
			out := plog.NewLogs()
			for _, left := range sink.AllLogs() {
				out = left
			}
			text, err := (&plog.JSONMarshaler{}).MarshalLogs(out)
			if err != nil {
				t.Fatal(err)
			}
			return text, ld.LogRecordCount(), out.LogRecordCount()
		}
	}
	sink := &consumertest.MetricsSink{}
	p, err := f.CreateMetrics(t.Context(), set, cfg, sink)
	if err != nil {
		t.Fatal(err)
	}
	start(p)
	return func(t *testing.T, data any) ([]byte, int, int) {
		sink.Reset()
		md := data.(pmetric.Metrics)
		patiently(func() error {
			mine := pmetric.NewMetrics()
			md.CopyTo(mine)
			return p.ConsumeMetrics(t.Context(), mine)
		})
		out := pmetric.NewMetrics()
		for _, left := range sink.AllMetrics() {
			out = left
		}
		text, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(out)
		if err != nil {
			t.Fatal(err)
		}
		return text, md.MetricCount(), out.MetricCount()
	}
}
