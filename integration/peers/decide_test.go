// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"
	"github.com/cedar-policy/cedar-go"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/sdk"
	sdktest "github.com/open-policy-agent/opa/v1/sdk/test"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/otelplat/platform/policy"
)

// BenchmarkDecide asks one question of each engine: may this caller, who has three roles
// and the claims of a token, do this? The answer is a yes of the last rule. Each engine
// has its policy in the form that suits it best, its input is built before the clock
// starts, and nobody caches but otelplat-cached, whose policy OPA evaluates.
func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct {
		name  string
		build func(rules int) question
	}{{"rbac", rbac}, {"abac", abac}, {"prefix", prefix}} {
		for _, rules := range []int{10, 200, 1000, 10000} {
			q := c.build(rules)
			for _, e := range []struct {
				name string
				open func(*testing.B, question) func() bool
			}{
				{"otelplat", typed}, {"otelplat-map", mapped}, {"otelplat-cached", cached},
				{"opa-rego", opaRego}, {"opa-sdk", opaSDK}, {"cedar", cedarGo}, {"casbin", casbinV3},
			} {
				b.Run(fmt.Sprintf("case=%s/%s/rules=%d", c.name, e.name, rules), func(b *testing.B) {
					ask := e.open(b, q)
					if !ask() {
						b.Fatal("denied")
					}
					b.ReportAllocs()
					for b.Loop() {
						ask()
					}
				})
			}
		}
	}
}

// question is a policy in each engine's own language, and a request.
type question struct {
	rego  string // ours
	opa   string // OPA's best form; "" for the same
	data  map[string]any
	cedar string
	model string   // casbin's
	rules []string // casbin's, as lines of CSV
	in    policy.Input
}

const casbinModel = `[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = `

func caller(roles ...string) policy.Entity {
	list := make([]any, len(roles))
	for i, r := range roles {
		list[i] = r
	}
	return policy.Entity{Type: "user", ID: "alice", Properties: map[string]any{
		"issuer": "https://issuer.example", "tenant": "acme", "roles": list, "scopes": []any{"orders:read", "orders:write"},
		"claims": map[string]any{
			"sub": "alice", "iss": "https://issuer.example", "aud": []any{"shop"}, "exp": json.Number("1900000000"), "iat": json.Number("1800000000"),
			"nbf": json.Number("1800000000"), "jti": "0123456789abcdef", "azp": "web", "email": "alice@example.com", "name": "Alice", "sid": "s-1", "acr": "2",
		},
	}}
}

// rbac: roles have permissions. With 200 there are 20 roles, each permission belongs to
// five of them, and the caller has three.
func rbac(n int) question {
	roles := max(n/10, 6)
	q := question{in: policy.Input{
		Subject: caller(role(0), role(1), role(roles-1)), Action: policy.Action{Name: permission(n - 1)}, Resource: policy.Entity{Type: "order", ID: "17"},
	}}
	var r, c strings.Builder
	r.WriteString("package bench\n\ndefault allow := false\n")
	for i := range n {
		holders := make([]string, 5)
		for j := range holders {
			holders[j] = role((i + j*roles/5) % roles)
			q.rules = append(q.rules, fmt.Sprintf("p, %s, *, %s", holders[j], permission(i)))
		}
		if i == n-1 {
			holders[4] = role(roles - 1)
			q.rules = append(q.rules, fmt.Sprintf("p, %s, *, %s", role(roles-1), permission(i)))
		}
		quoted := `"` + strings.Join(holders, `", "`) + `"`
		fmt.Fprintf(&r, "\nallow if {\n\tinput.action.name == %q\n\tsome role in input.subject.properties.roles\n\trole in {%s}\n}\n", permission(i), quoted)
		fmt.Fprintf(&c, "permit (principal, action == Action::%q, resource) when { principal.roles.containsAny([%s]) };\n", permission(i), quoted)
	}
	q.rego, q.cedar = r.String(), c.String()
	q.model = casbinModel + "r.act == p.act && g(r.sub, p.sub)"
	return q
}

func role(i int) string       { return fmt.Sprintf("role-%d", i) }
func permission(i int) string { return fmt.Sprintf("orders:permission-%d", i) }

// abac: the tenant has to be the resource's, and the owner the caller, by type and action.
func abac(n int) question {
	q := question{in: policy.Input{
		Subject: caller("user"), Action: policy.Action{Name: permission(n - 1)},
		Resource: policy.Entity{Type: kind(n - 1), ID: "17", Properties: map[string]any{"tenant": "acme", "owner": "alice"}},
	}}
	var r, c strings.Builder
	r.WriteString("package bench\n\ndefault allow := false\n")
	for i := range n {
		fmt.Fprintf(&r, `
allow if {
	input.resource.type == %q
	input.action.name == %q
	input.resource.properties.tenant == input.subject.properties.tenant
	input.resource.properties.owner == input.subject.id
}
`, kind(i), permission(i))
		fmt.Fprintf(&c, "permit (principal, action == Action::%q, resource is %s) when { resource.tenant == principal.tenant && resource.owner == principal };\n", permission(i), kind(i))
		q.rules = append(q.rules, fmt.Sprintf("p, any, %s, %s", kind(i), permission(i)))
	}
	q.rego, q.cedar = r.String(), c.String()
	q.model = strings.Replace(casbinModel, "r = sub, obj, act", "r = sub, obj, act, tenant, objtenant, owner", 1) +
		"r.act == p.act && r.obj == p.obj && r.tenant == r.objtenant && r.owner == r.sub"
	return q
}

func kind(i int) string { return fmt.Sprintf("Type%d", i%20) }

// prefix: a path's beginning, a method and a role.
func prefix(n int) question {
	q := question{data: map[string]any{}, in: policy.Input{
		Subject: caller("reader", "writer", role(n-1)), Action: policy.Action{Name: "GET"}, Resource: policy.Entity{Type: "route", ID: path(n-1) + "orders/17"},
	}}
	var r, c strings.Builder
	r.WriteString("package bench\n\ndefault allow := false\n")
	routes := make(map[string]any)
	for i := range n {
		fmt.Fprintf(&r, "\nallow if {\n\tstartswith(input.resource.id, %q)\n\tinput.action.name == \"GET\"\n\t%q in input.subject.properties.roles\n}\n", path(i), role(i))
		fmt.Fprintf(&c, "permit (principal, action == Action::\"GET\", resource) when { context.path like %q && principal.roles.contains(%q) };\n", path(i)+"*", role(i))
		q.rules = append(q.rules, fmt.Sprintf("p, %s, %s*, GET", role(i), path(i)))
		routes[strings.TrimSuffix(path(i), "/")] = map[string]any{"GET": map[string]any{role(i): true}}
	}
	q.rego, q.cedar = r.String(), c.String()
	// OPA 1.20 does not index startswith. This is how one writes it so that it is a look-up.
	q.data["routes"] = routes
	q.opa = `package bench

default allow := false

allow if {
	beginning := concat("/", array.slice(split(input.resource.id, "/"), 0, 3))
	some role in input.subject.properties.roles
	data.routes[beginning][input.action.name][role]
}
`
	q.model = casbinModel + "r.act == p.act && keyMatch(r.obj, p.obj) && g(r.sub, p.sub)"
	return q
}

func path(i int) string { return fmt.Sprintf("/api/service-%d/", i) }

func engine(b *testing.B, rego string, data map[string]any) *policy.Engine {
	b.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		b.Fatal(err)
	}
	files := map[string]string{"bench.rego": rego}
	if data != nil {
		files["data.json"] = string(text)
	}
	e, err := policy.Open(b.Context(), policy.Static("bench", files))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	if err := e.Status().Err; err != nil {
		b.Fatal(err)
	}
	return e
}

func typed(b *testing.B, q question) func() bool {
	e := engine(b, q.rego, q.data)
	ctx := b.Context()
	return func() bool {
		d, _ := e.Decide(ctx, "bench", q.in)
		return d.Allow
	}
}

// cached forces the entrypoint to be OPA's by a use of with.
func cached(b *testing.B, q question) func() bool {
	const header = "package bench\n\ndefault allow := false\n"
	text := strings.ReplaceAll(strings.TrimPrefix(q.rego, header), "allow if {", "granted if {")
	e := engine(b, header+"\nallow if granted with data.unused as 1\n"+text, q.data)
	ctx := b.Context()
	return func() bool {
		d, _ := e.Decide(ctx, "bench", q.in)
		return d.Allow
	}
}

func document(b *testing.B, in policy.Input) map[string]any {
	b.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		b.Fatal(err)
	}
	return doc
}

func mapped(b *testing.B, q question) func() bool {
	s := engine(b, q.rego, q.data).Snapshot()
	var in any = document(b, q.in)
	ctx := b.Context()
	return func() bool {
		v, _, _ := s.Eval(ctx, "bench.allow", in)
		return v == true
	}
}

// opaRego is OPA as its own documentation and ours tune it: prepared, input parsed, a
// transaction that stays open, no metrics, no goroutine for the context, and data as
// values of its own.
func opaRego(b *testing.B, q question) func() bool {
	text := q.rego
	if q.opa != "" {
		text = q.opa
	}
	data := q.data
	if data == nil {
		data = map[string]any{}
	}
	compiler := ast.MustCompileModules(map[string]string{"bench.rego": text})
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false))
	txn := storage.NewTransactionOrDie(b.Context(), store)
	prepared, err := rego.New(rego.Query("data.bench.allow"), rego.Compiler(compiler), rego.Store(store), rego.Transaction(txn)).PrepareForEval(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	in := ast.MustInterfaceToValue(document(b, q.in))
	cancel := topdown.NewCancel()
	ctx := context.Background()
	return func() bool {
		rs, err := prepared.Eval(ctx, rego.EvalParsedInput(in), rego.EvalTransaction(txn), rego.EvalExternalCancel(cancel), rego.EvalMetrics(metrics.NoOp()))
		return err == nil && rs.Allowed()
	}
}

// opaSDK is OPA's own way for programs, with its bundle from a server as it wants it.
func opaSDK(b *testing.B, q question) func() bool {
	text := q.rego
	if q.opa != "" {
		text = q.opa
	}
	data, err := json.Marshal(q.data)
	if err != nil {
		b.Fatal(err)
	}
	if q.data == nil {
		data = []byte("{}")
	}
	server := sdktest.MustNewServer(sdktest.MockBundle("/bundles/bench.tar.gz", map[string]string{"bench.rego": text, "data.json": string(data)}))
	b.Cleanup(server.Stop)
	o, err := sdk.New(b.Context(), sdk.Options{Config: strings.NewReader(fmt.Sprintf(`{"services": {"s": {"url": %q}}, "bundles": {"b": {"service": "s", "resource": "/bundles/bench.tar.gz"}}}`, server.URL()))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { o.Stop(context.Background()) })
	var in any = document(b, q.in)
	ctx := b.Context()
	return func() bool {
		r, err := o.Decision(ctx, sdk.DecisionOptions{Path: "/bench/allow", Input: in})
		return err == nil && r.Result == true
	}
}

func cedarGo(b *testing.B, q question) func() bool {
	policies, err := cedar.NewPolicySetFromBytes("bench.cedar", []byte(q.cedar))
	if err != nil {
		b.Fatal(err)
	}
	principal := cedar.NewEntityUID("User", cedar.String(q.in.Subject.ID))
	resource := cedar.NewEntityUID(cedar.EntityType(strings.ToUpper(q.in.Resource.Type[:1])+q.in.Resource.Type[1:]), cedar.String(q.in.Resource.ID))
	var roles []cedar.Value
	for _, r := range q.in.Subject.Properties["roles"].([]any) {
		roles = append(roles, cedar.String(r.(string)))
	}
	entities := cedar.EntityMap{
		principal: {UID: principal, Attributes: cedar.NewRecord(cedar.RecordMap{"roles": cedar.NewSet(roles...), "tenant": cedar.String("acme")})},
		resource:  {UID: resource, Attributes: cedar.NewRecord(cedar.RecordMap{"tenant": cedar.String("acme"), "owner": principal})},
	}
	request := cedar.Request{
		Principal: principal, Action: cedar.NewEntityUID("Action", cedar.String(q.in.Action.Name)), Resource: resource,
		Context: cedar.NewRecord(cedar.RecordMap{"path": cedar.String(q.in.Resource.ID)}),
	}
	return func() bool {
		decision, _ := cedar.Authorize(policies, entities, request)
		return decision == cedar.Allow
	}
}

func casbinV3(b *testing.B, q question) func() bool {
	m, err := model.NewModelFromString(q.model)
	if err != nil {
		b.Fatal(err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range q.rules {
		part := strings.Split(line, ", ")
		if _, err := e.AddPolicy(part[1], part[2], part[3]); err != nil {
			b.Fatal(err)
		}
	}
	for _, r := range q.in.Subject.Properties["roles"].([]any) {
		if _, err := e.AddGroupingPolicy("alice", r.(string)); err != nil {
			b.Fatal(err)
		}
	}
	args := []any{"alice", "*", q.in.Action.Name}
	switch {
	case strings.Contains(q.model, "objtenant"):
		args = []any{"alice", q.in.Resource.Type, q.in.Action.Name, "acme", "acme", "alice"}
	case strings.Contains(q.model, "keyMatch"):
		args[1] = q.in.Resource.ID
	}
	return func() bool {
		ok, err := e.Enforce(args...)
		return ok && err == nil
	}
}
