// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// twice is a span with attributes under keys that are there twice.
func twice(t *testing.T, key, first, second string) ptrace.Traces {
	t.Helper()
	td := one("a")
	spanOf(td).Attributes().PutStr(key, first)
	spanOf(td).Attributes().PutStr(key+"~", second)
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	td, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(strings.ReplaceAll(string(text), "~", "")))
	if err != nil {
		t.Fatal(err)
	}
	return td
}

func TestASenderCannotUseThePlacesOfThePolicysOwnWord(t *testing.T) {
	for name, rego := range map[string]string{
		"a route of others":            `route := "eu" if input.item.name == "b"`,
		"a route that is switched off": "route := \"eu\" if data.enabled\nenabled := false",
	} {
		p := processorOn(t, ModeEnforce, "traces", rules(strings.Replace(rego, "data.enabled", "enabled", 1)))
		td, err := p.traces(t.Context(), twice(t, semconv.TelemetryRoute, "eu", "eu"))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := spanOf(td).Attributes().Get(semconv.TelemetryRoute); ok {
			t.Errorf("%s: a sender chose its route", name)
		}
	}
	p := processorOn(t, ModeEnforce, "traces", rules("dry_run contains \"x\"\ndrop contains \"x\"\nset[\"tenant\"] := {\"attributes.tenant\": \"mine\"}"))
	td := twice(t, "tenant", "one", "two")
	spanOf(td).Attributes().PutStr(semconv.PolicyDryRun, "forged")
	td, err := p.traces(t.Context(), td)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(spanOf(td).Attributes().AsRaw()[semconv.PolicyDryRun]); got != "[drop:x]" {
		t.Errorf("the annotation is %s", got)
	}
	if text, _ := (&ptrace.JSONMarshaler{}).MarshalTraces(td); strings.Contains(string(text), "two") || strings.Contains(string(text), "one") {
		t.Errorf("a value of the sender's is left beside the policy's: %s", text)
	}
}

func TestADryRunThatFailsDropsNothing(t *testing.T) {
	const failing = "redact[\"x\"] := {\"action\": \"mask\", \"fields\": [\"*\"], \"pattern\": \"a\"} if to_number(input.item.name) > 3\n"
	p := processorOn(t, ModeEnforce, "traces", rules("dry_run contains \"*\"\n"+failing))
	if td, err := p.traces(t.Context(), one("a")); err != nil || td.SpanCount() != 1 {
		t.Errorf("error %v: a rule that only annotates dropped a span", err)
	}
	p.expectCount(1, failedMetric, "rule=x")
	p = processorOn(t, ModeEnforce, "traces", rules("dry_run contains \"other\"\n"+failing))
	if td, _ := p.traces(t.Context(), one("a")); td.SpanCount() != 0 {
		t.Error("a rule that acts failed, and the span went on")
	}
}

func TestARevisionThatComesAgainWithAnotherContentIsAnotherPolicy(t *testing.T) {
	p := processorOn(t, ModeClaims, "traces", map[string]string{"claims.rego": "package otelplat.claims\nallow := true"})
	ctx := as(t.Context(), "service", "orders")
	if td, _ := p.traces(ctx, spansOf("orders")); td.SpanCount() != 2 {
		t.Fatal("it should be allowed")
	}
	revision := p.engine.Snapshot().Revision()
	updates := p.engine.Updates(t.Context())
	p.source.Set(policy.Bundle{Name: "telemetry", Revision: revision, Files: map[string]string{"claims.rego": "package otelplat.claims\nallow := false"}})
	<-updates
	if td, _ := p.traces(ctx, spansOf("orders")); td.SpanCount() != 0 {
		t.Error("what the same number allowed before is still allowed")
	}
}

func TestManyRulesOfAKindAreAllInForce(t *testing.T) {
	var rego strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&rego, "set[\"r%d\"] := {\"attributes.r%d\": true} if input.item.name == \"a\"\n", i, i)
	}
	p := processorOn(t, ModeEnforce, "traces", rules(rego.String()))
	td, err := p.traces(t.Context(), one("a"))
	if err != nil {
		t.Fatal(err)
	}
	if n := spanOf(td).Attributes().Len(); n != 1201 {
		t.Errorf("%d attributes, expected 1,201", n)
	}
}

func TestRulesThatStandInDataCountToo(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", map[string]string{
		"telemetry.rego":               "package otelplat.telemetry\nredact.names := {\"action\": \"mask\", \"fields\": [\"name\"]}",
		"otelplat/telemetry/data.json": `{"redact": {"user": {"action": "mask", "fields": ["attributes.user"]}}}`,
	})
	td, err := p.traces(t.Context(), one("a"))
	if err != nil {
		t.Fatal(err)
	}
	if got := spanOf(td).Attributes().AsRaw()["user"]; got != "****" || spanOf(td).Name() != "****" {
		t.Errorf("user is %v and the name %q, expected both masked", got, spanOf(td).Name())
	}
}

func TestALongClaimIsNotKept(t *testing.T) {
	p := processorOn(t, ModeClaims, "traces", claimsRego(t))
	td := spansOf("orders")
	td.ResourceSpans().At(0).Resource().Attributes().PutStr("service.namespace", strings.Repeat("x", 2*maxClaimBytes))
	if _, err := p.traces(as(t.Context(), "service", "orders"), td); err != nil {
		t.Fatal(err)
	}
	if n := len(p.work.(*claims).cache.reasons); n != 0 {
		t.Errorf("%d decisions are kept", n)
	}
}

func TestRolesAreNotTakenApart(t *testing.T) {
	p := processorOn(t, ModeClaims, "traces", map[string]string{"claims.rego": `package otelplat.claims
		default allow := false
		allow if "admin" in input.subject.properties.roles`})
	ctx := client.NewContext(t.Context(), client.Info{Auth: roleOf{auth{semconv.SenderKind: "service", semconv.SenderSubject: "x"}}})
	if td, _ := p.traces(ctx, spansOf("orders")); td.SpanCount() != 0 {
		t.Error("a role with a zero byte in it is taken for two")
	}
}

// roleOf has a role whose name is odd.
type roleOf struct{ auth }

func (r roleOf) GetAttribute(name string) any {
	if name == semconv.SenderRoles {
		return []string{"x\x00admin"}
	}
	return r.auth.GetAttribute(name)
}

// A set that computes its values makes no new rule for each item of a batch.
func TestRulesThatSayTheSameAreOne(t *testing.T) {
	p := processorOn(t, ModeEnforce, "traces", rules(`set["x"] := {"resource.x": input.item.attributes.user}
		sample["half"] := 1 if input.item.name == "a"`))
	e := p.work.(*enforcer)
	book, err := e.rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := e.within(t.Context(), book)
	td := one("a")
	in.enter(td.ResourceSpans().At(0).Resource(), td.ResourceSpans().At(0).ScopeSpans().At(0).Scope())
	for range 100 {
		in.span.Span = spanOf(td)
		in.item(&in.span)
	}
	if len(in.ofResource) != 1 || len(in.report.matches) != 2 || in.report.more != nil {
		t.Errorf("%d rules for the resource, %d and %d counted", len(in.ofResource), len(in.report.matches), len(in.report.more))
	}
}
