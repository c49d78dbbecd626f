// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// auth is what otelplat_policy_auth puts in the context.
type auth map[string]string

func (a auth) GetAttribute(name string) any { return a[name] }
func (a auth) GetAttributeNames() []string  { return nil }

func as(ctx context.Context, kind, subject string) context.Context {
	return client.NewContext(ctx, client.Info{Auth: auth{
		semconv.SenderKind: kind, semconv.SenderSubject: subject, semconv.SenderIssuer: "issuer",
	}})
}

// claimsRego is the default bundle's file.
func claimsRego(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(defaultBundle + "/claims.rego")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"claims.rego": string(text)}
}

func spansOf(services ...string) ptrace.Traces {
	td := ptrace.NewTraces()
	for _, s := range services {
		rs := td.ResourceSpans().AppendEmpty()
		if s != "" {
			rs.Resource().Attributes().PutStr("service.name", s)
		}
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		spans.AppendEmpty()
		spans.AppendEmpty()
	}
	return td
}

func TestClaims(t *testing.T) {
	tests := map[string]struct {
		ctx      context.Context
		services []string
		left     int
		counts   map[string]int64 // by reason, in spans, of which each resource has two
	}{
		"a service sends as itself":       {as(t.Context(), "service", "orders"), []string{"orders", "orders"}, 2, nil},
		"what it sends as another is not": {as(t.Context(), "service", "orders"), []string{"orders", "inventory"}, 1, map[string]int64{"denied": 2}},
		"a user sends nothing":            {as(t.Context(), "user", "orders"), []string{"orders"}, 0, map[string]int64{"denied": 2}},
		"no service name is no service":   {as(t.Context(), "service", "orders"), []string{""}, 0, map[string]int64{"denied": 2}},
		"nobody sends nothing":            {t.Context(), []string{"orders", ""}, 0, map[string]int64{"unauthenticated": 4}},
		"an empty subject is nobody":      {as(t.Context(), "service", ""), []string{""}, 0, map[string]int64{"unauthenticated": 2}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := processorOn(t, ModeClaims, "traces", claimsRego(t))
			td, err := p.traces(test.ctx, spansOf(test.services...))
			if err != nil && (!errors.Is(err, processorhelper.ErrSkipProcessingData) || test.left > 0) {
				t.Fatal(err)
			}
			if got := td.ResourceSpans().Len(); got != test.left {
				t.Errorf("%d resources left, expected %d", got, test.left)
			}
			for reason, n := range test.counts {
				p.expectCount(n, claimsMetric, "reason="+reason, "otelcol.signal=traces")
			}
		})
	}
}

func TestClaimsKnowNamespacesAndTenants(t *testing.T) {
	p := processorOn(t, ModeClaims, "traces", map[string]string{"claims.rego": `package otelplat.claims
		default allow := false
		allow if {
			input.resource.id == input.subject.id
			object.get(input.resource, ["properties", "namespace"], "shop") == "shop"
			object.get(input.resource, ["properties", "tenant"], "acme") == input.subject.properties.tenant
		}`})
	ctx := client.NewContext(t.Context(), client.Info{Auth: auth{
		semconv.SenderKind: "service", semconv.SenderSubject: "orders", semconv.SenderIssuer: "issuer", semconv.SenderTenant: "acme",
	}})
	for name, test := range map[string]struct {
		attributes []string // key, value, …
		allowed    bool
	}{
		"what it is":                   {[]string{"service.name", "orders", "service.namespace", "shop", "tenant.id", "acme"}, true},
		"no word of namespace, tenant": {[]string{"service.name", "orders"}, true},
		"another namespace":            {[]string{"service.name", "orders", "service.namespace", "bank"}, false},
		"another tenant":               {[]string{"service.name", "orders", "tenant.id", "evil"}, false},
		"two names":                    {[]string{"service.name", "orders", "service.name", "inventory"}, false},
		"two tenants":                  {[]string{"service.name", "orders", "tenant.id", "acme", "tenant.id", "evil"}, false},
	} {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		for i := 0; i < len(test.attributes); i += 2 {
			rs.Resource().Attributes().PutStr(test.attributes[i]+strings.Repeat("~", i), test.attributes[i+1])
		}
		text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
		if err != nil {
			t.Fatal(err)
		}
		td, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(strings.ReplaceAll(string(text), "~", ""))) // keys twice
		if err != nil {
			t.Fatal(err)
		}
		if td, _ = p.traces(ctx, td); (td.SpanCount() == 1) != test.allowed {
			t.Errorf("%s: %d spans left, expected allowed to be %v", name, td.SpanCount(), test.allowed)
		}
	}
}

// withRoles is a sender that has roles.
type withRoles struct{ auth }

func (w withRoles) GetAttribute(name string) any {
	if name == semconv.SenderRoles {
		return []string{"agent", "reader"}
	}
	return w.auth.GetAttribute(name)
}

func TestClaimsKnowHowTheSenderWasVerifiedAndItsRoles(t *testing.T) {
	p := processorOn(t, ModeClaims, "traces", map[string]string{"claims.rego": `package otelplat.claims
		default allow := false
		allow if {
			"agent" in input.subject.properties.roles
			input.subject.properties.method == "certificate"
		}`})
	who := auth{semconv.SenderKind: "service", semconv.SenderSubject: "node", semconv.SenderMethod: "certificate"}
	if td, _ := p.traces(client.NewContext(t.Context(), client.Info{Auth: withRoles{who}}), spansOf("orders")); td.SpanCount() != 2 {
		t.Error("an agent may not send")
	}
	if td, _ := p.traces(client.NewContext(t.Context(), client.Info{Auth: who}), spansOf("orders")); td.SpanCount() != 0 {
		t.Error("who has no role may send")
	}
}

func TestRejectedClaimsRefuseTheWholeRequest(t *testing.T) {
	p := processorOn(t, ModeClaims, "logs", claimsRego(t))
	p.work.(*claims).reject = true
	as := as(t.Context(), "service", "orders")
	if _, err := p.traces(as, spansOf("orders", "orders")); err != nil {
		t.Errorf("error is %v for what may be sent", err)
	}
	if _, err := p.traces(as, spansOf("orders", "inventory")); status.Code(err) != codes.PermissionDenied {
		t.Errorf("error is %v, expected PermissionDenied", err)
	}
	if _, err := p.traces(t.Context(), spansOf("orders")); status.Code(err) != codes.PermissionDenied {
		t.Errorf("error is %v for nobody, expected PermissionDenied", err)
	}
	failing := processorOn(t, ModeClaims, "logs", rules("x := 1"))
	failing.work.(*claims).reject = true
	if _, err := failing.traces(as, spansOf("orders")); status.Code(err) != codes.Unavailable {
		t.Errorf("error is %v while the policy fails, expected Unavailable", err)
	}
}

func TestClaimsOfMetricsAndLogs(t *testing.T) {
	ctx := as(t.Context(), "service", "inventory")
	p := processorOn(t, ModeClaims, "logs", claimsRego(t))
	if _, err := p.logs(ctx, records("a", "b")); !errors.Is(err, processorhelper.ErrSkipProcessingData) {
		t.Errorf("error is %v: the records of orders should be removed", err)
	}
	p.expectCount(2, claimsMetric, "reason=denied", "otelcol.signal=logs")

	md := pmetric.NewMetrics()
	for _, s := range []string{"inventory", "orders"} {
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", s)
		rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName(s)
	}
	m := processorOn(t, ModeClaims, "metrics", claimsRego(t))
	md, err := m.metrics(ctx, md)
	if err != nil || md.ResourceMetrics().Len() != 1 {
		t.Errorf("error is %v with %d resources left, expected one", err, md.ResourceMetrics().Len())
	}
	m.expectCount(1, claimsMetric, "reason=denied", "otelcol.signal=metrics")
}

func TestABundleWithoutClaimsOrWithFailingOnesDenies(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no package": rules("x := 1"),
		"an error":   {"claims.rego": "package otelplat.claims\nallow if to_number(input.subject.id) > 0"},
	} {
		p := processorOn(t, ModeClaims, "traces", files)
		for range 2 { // no error is cached
			if _, err := p.traces(as(t.Context(), "service", "orders"), spansOf("orders")); !errors.Is(err, processorhelper.ErrSkipProcessingData) {
				t.Errorf("%s: error is %v, expected everything to be removed", name, err)
			}
		}
		p.expectCount(4, claimsMetric, "reason=decision_failed")
	}
}

func TestACachedDecisionEndsWithItsRevision(t *testing.T) {
	p := processorOn(t, ModeClaims, "traces", claimsRego(t))
	ctx := as(t.Context(), "service", "orders")
	for range 3 {
		if _, err := p.traces(ctx, spansOf("orders")); err != nil {
			t.Fatal(err)
		}
	}
	updates := p.engine.Updates(t.Context())
	p.source.Set(policy.Bundle{Name: "telemetry", Revision: "2",
		Files: map[string]string{"claims.rego": "package otelplat.claims\nallow := false"}})
	<-updates
	if _, err := p.traces(ctx, spansOf("orders")); !errors.Is(err, processorhelper.ErrSkipProcessingData) {
		t.Errorf("error is %v: the new revision denies", err)
	}
	p.source.Set(policy.Bundle{})
	<-updates
	if _, err := p.traces(ctx, spansOf("orders")); status.Code(err) != codes.Unavailable {
		t.Errorf("error is %v: the bundle was deleted, nothing should pass", err)
	}
}

func TestTheCacheOfClaimsIsBounded(t *testing.T) {
	var c claimCache
	for i := range 3 * maxClaims {
		c.put("1", claim{service: fmt.Sprint(i)}, reasonDenied)
		if len(c.reasons) > maxClaims {
			t.Fatalf("%d decisions cached, expected at most %d", len(c.reasons), maxClaims)
		}
	}
	if reason, known := c.get("1", claim{service: fmt.Sprint(3*maxClaims - 1)}); !known || reason != reasonDenied {
		t.Error("the newest decision should be cached")
	}
	if _, known := c.get("2", claim{service: fmt.Sprint(3*maxClaims - 1)}); known {
		t.Error("a decision of another revision should not be known")
	}
}
