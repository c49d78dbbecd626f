// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func rules(rego string) map[string]string {
	return map[string]string{"telemetry.rego": "package otelplat.telemetry\n" + rego}
}

// leftToOPA are rules of which OPA evaluates those that count opa: rules of several paths as
// one value are not lowered.
func leftToOPA(rego string) map[string]string { return rules(rego + "\nopa.only.so := true\n") }

// records are log records with these bodies, one scope, one resource.
func records(bodies ...string) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "orders")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("scope")
	for _, b := range bodies {
		r := sl.LogRecords().AppendEmpty()
		r.Body().SetStr(b)
		r.Attributes().PutStr("user", "alice")
	}
	return ld
}

// shown is what is left of records: "body user=…" each.
func shown(ld plog.Logs) string {
	var all []string
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				s := r.Body().AsString()
				if v, ok := r.Attributes().Get("user"); ok {
					s += " user=" + v.AsString()
				}
				all = append(all, s)
			}
		}
	}
	return strings.Join(all, "; ")
}

func TestRulesOnLogs(t *testing.T) {
	const mask = `redact["secret"] := {"action": "mask", "fields": ["body"], "pattern": "secret"}` + "\n"
	tests := map[string]struct {
		rego, want string
		counts     map[string]int64 // "counter attribute=value ..."
	}{
		"no rules at all leave everything": {
			rego: "x := 1", want: "a secret user=alice; noise user=alice",
		},
		"a drop rule drops": {
			rego: `drop contains "noise" if input.item.body == "noise"`, want: "a secret user=alice",
			counts: map[string]int64{itemsMetric + " action=dropped rule=noise reason=rule otelcol.signal=logs": 1},
		},
		"keep beats drop": {
			rego: `drop contains "all"
				keep contains "noise" if input.item.body == "noise"`, want: "noise user=alice",
			counts: map[string]int64{
				itemsMetric + " action=dropped rule=all":            1,
				itemsMetric + " action=kept rule=noise reason=rule": 1,
			},
		},
		"a drop rule that fails keeps": {
			rego: `drop contains "n" if to_number(input.item.body) > 1`, want: "a secret user=alice; noise user=alice",
			counts: map[string]int64{failedMetric + " rule=_drop reason=evaluation": 2},
		},
		"a drop that is no set keeps": {
			rego: `drop := true`, want: "a secret user=alice; noise user=alice",
			counts: map[string]int64{failedMetric + " rule=_drop": 2},
		},
		"a keep rule that fails keeps": {
			rego: `drop contains "all"
				keep contains "n" if to_number(input.item.body) > 1`, want: "a secret user=alice; noise user=alice",
			counts: map[string]int64{itemsMetric + " action=kept rule=_keep reason=evaluation": 2},
		},
		"a redact rule redacts where it matches": {
			rego: mask, want: "a **** user=alice; noise user=alice",
			counts: map[string]int64{itemsMetric + " action=redacted rule=secret reason=rule otelcol.signal=logs": 1},
		},
		"a redact rule with a condition redacts only then": {
			rego: `redact["user"] := {"action": "delete", "fields": ["attributes.user"]} if input.item.body == "noise"`,
			want: "a secret user=alice; noise",
		},
		"a dropped item is not redacted": {
			rego: mask + `drop contains "secrets" if contains(input.item.body, "secret")`, want: "noise user=alice",
			counts: map[string]int64{itemsMetric + " action=redacted": 0},
		},
		"a redact rule whose evaluation fails drops the item": {
			rego: mask + `redact["n"] := {"action": "mask", "fields": ["body"]} if to_number(input.item.body) > 1`, want: "",
			counts: map[string]int64{itemsMetric + " action=dropped rule=n reason=evaluation": 2},
		},
		"a redact rule with two values drops the item": {
			rego: `redact["n"] := {"action": a, "fields": ["body"]} if some a in ["mask", "hash"]`, want: "",
			counts: map[string]int64{failedMetric + " rule=n": 2},
		},
		"a bad pattern removes the field whole": {
			rego: `redact["bad"] := {"action": "mask", "fields": ["body"], "pattern": "("}`, want: " user=alice;  user=alice",
			counts: map[string]int64{
				itemsMetric + " action=redacted rule=bad reason=rule_failed": 2,
				failedMetric + " rule=bad reason=rule_failed":                2,
			},
		},
		"a misspelt key removes the field whole": {
			rego: `redact["bad"] := {"action": "mask", "fields": ["body"], "patern": "secret"}`, want: " user=alice;  user=alice",
		},
		"a pattern that is no string removes the field whole": {
			rego: `redact["bad"] := {"action": "mask", "fields": ["body"], "pattern": 3}`, want: " user=alice;  user=alice",
		},
		"an unknown field drops the item": {
			rego: `redact["bad"] := {"action": "mask", "fields": ["bdy"]}`, want: "",
			counts: map[string]int64{itemsMetric + " action=dropped rule=bad reason=evaluation": 2},
		},
		"a rule that is no object drops the item":   {rego: `redact["bad"] := "body"`, want: ""},
		"a redact that is no object drops the item": {rego: `redact contains "bad"`, want: ""},
		"rules see resource, scope and signal": {
			rego: `drop contains "x" if {
				input.signal == "logs"
				input.resource.attributes["service.name"] == "orders"
				input.scope.name == "scope"
				input.item.attributes.user == "alice"
				input.item.severity_number == 0
			}`, want: "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := processorOn(t, ModeEnforce, "logs", rules(test.rego))
			ld, err := p.logs(t.Context(), records("a secret", "noise"))
			if err != nil && !errors.Is(err, processorhelper.ErrSkipProcessingData) {
				t.Fatal(err)
			}
			if (err != nil) != (test.want == "") {
				t.Errorf("error is %v with %q left", err, test.want)
			}
			if got := shown(ld); got != test.want {
				t.Errorf("left is %q, expected %q", got, test.want)
			}
			for what, n := range test.counts {
				words := strings.Fields(what)
				p.expectCount(n, words[0], words[1:]...)
			}
		})
	}
}

func TestResourceAndScopeAreRedactedOnceForAllItems(t *testing.T) {
	p := processorOn(t, ModeEnforce, "logs", rules(
		`redact["host"] := {"action": "hash", "fields": ["resource.host", "scope.host"]} if input.item.body == "yes"`))
	one := func(bodies ...string) string {
		ld := records(bodies...)
		rl := ld.ResourceLogs().At(0)
		rl.Resource().Attributes().PutStr("host", "h")
		rl.ScopeLogs().At(0).Scope().Attributes().PutStr("host", "h")
		ld, err := p.logs(t.Context(), ld)
		if err != nil {
			t.Fatal(err)
		}
		rl = ld.ResourceLogs().At(0)
		r, _ := rl.Resource().Attributes().Get("host")
		s, _ := rl.ScopeLogs().At(0).Scope().Attributes().Get("host")
		return r.Str() + s.Str()
	}
	if got := one("no", "no"); got != "hh" {
		t.Errorf("hosts are %q, expected no change", got)
	}
	once, twice := one("yes"), one("yes", "no", "yes")
	if once != twice || len(once) != 32 {
		t.Errorf("hashes are %q for one item and %q for two, expected the same", once, twice)
	}
	p.expectCount(4, itemsMetric, "action=redacted", "rule=host")
}

func TestSpansAndMetrics(t *testing.T) {
	rego := rules(`drop contains "probe" if { input.signal == "traces"; input.item.kind == "server"; input.item.name == "probe" }
		drop contains "debug" if { input.signal == "metrics"; startswith(input.item.name, "debug."); input.item.type == "gauge" }
		redact["mail"] := {"action": "mask", "fields": ["attributes.*", "events.*"], "pattern": "[a-z]+@[a-z]+"}`)

	td := ptrace.NewTraces()
	ss := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	probe := ss.Spans().AppendEmpty()
	probe.SetName("probe")
	probe.SetKind(ptrace.SpanKindServer)
	span := ss.Spans().AppendEmpty()
	span.SetName("order")
	span.Attributes().PutStr("to", "alice@home")
	span.Events().AppendEmpty().Attributes().PutStr("exception.message", "no bob@home")
	traces := processorOn(t, ModeEnforce, "traces", rego)
	td, err := traces.traces(t.Context(), td)
	if err != nil || td.SpanCount() != 1 {
		t.Fatalf("%d spans left, error %v, expected 1", td.SpanCount(), err)
	}
	if text, _ := (&ptrace.JSONMarshaler{}).MarshalTraces(td); strings.Contains(string(text), "@") {
		t.Errorf("an address is still there: %s", text)
	}
	traces.expectCount(1, itemsMetric, "action=dropped", "rule=probe", "otelcol.signal=traces")

	md := pmetric.NewMetrics()
	sm := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	for _, name := range []string{"debug.x", "orders"} {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		m.SetEmptyGauge().DataPoints().AppendEmpty().Attributes().PutStr("to", "alice@home")
	}
	metrics := processorOn(t, ModeEnforce, "metrics", rego)
	md, err = metrics.metrics(t.Context(), md)
	if err != nil || md.MetricCount() != 1 {
		t.Fatalf("%d metrics left, error %v, expected 1", md.MetricCount(), err)
	}
	if text, _ := (&pmetric.JSONMarshaler{}).MarshalMetrics(md); strings.Contains(string(text), "@") {
		t.Errorf("an address is still there: %s", text)
	}
}

func TestNothingPassesWithoutABundleUnlessAllowed(t *testing.T) {
	for _, mode := range []string{ModeEnforce, ModeClaims} {
		p := processorOn(t, mode, "logs", nil)
		if _, err := p.logs(t.Context(), records("a")); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: error is %v, expected Unavailable, which senders retry", mode, err)
		}
		p.expectCount(1, refusedMetric, "reason=no_bundle")
		p.gate.require = false
		if ld, err := p.logs(t.Context(), records("a")); err != nil || ld.LogRecordCount() != 1 {
			t.Errorf("%s: error is %v: without require_bundle it should pass", mode, err)
		}
	}
}

func TestAnEndedRequestIsAnErrorNotADrop(t *testing.T) {
	p := processorOn(t, ModeEnforce, "logs", rules(`drop contains "all"`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.logs(ctx, records("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, expected the context's", err)
	}
	p.expectCount(0, itemsMetric, "action=dropped")
}

func TestANewBundleIsInForceForTheNextBatch(t *testing.T) {
	p := processorOn(t, ModeEnforce, "logs", rules(`drop contains "all"`))
	updates := p.engine.Updates(t.Context())
	p.source.Set(policy.Bundle{Name: "telemetry", Revision: "2", Files: rules(`x := 1`)})
	<-updates
	if ld, err := p.logs(t.Context(), records("a")); err != nil || ld.LogRecordCount() != 1 {
		t.Errorf("error is %v: the new bundle drops nothing", err)
	}
}

func TestNamesOfRulesInMetricsAreBounded(t *testing.T) {
	p := processorOn(t, ModeEnforce, "logs", rules(`drop contains input.item.body`))
	for i := range maxRuleNames + 10 {
		p.logs(t.Context(), records(fmt.Sprint(i)))
	}
	p.expectCount(10, itemsMetric, "rule="+otherRule)
}
