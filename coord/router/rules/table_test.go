// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/otelplat/platform/coord/discovery"
	"google.golang.org/grpc/codes"
)

// compile makes a table of a text that must be good.
func compile(t testing.TB, text string) *Table {
	t.Helper()
	doc, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	table, err := doc.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

type claims map[string]string

func (c claims) Claim(name string) (string, bool) {
	value, ok := c[name]
	return value, ok
}

// never is the random source of what must not be random.
func never() uint64 { panic("random numbers were asked for") }

func TestMatch(t *testing.T) {
	post := Request{Method: "POST", Path: "/checkout/7"}
	with := func(headers ...string) Request {
		r := Request{Method: "GET", Path: "/", Header: make(http.Header)}
		for i := 0; i < len(headers); i += 2 {
			http.Header(r.Header).Add(headers[i], headers[i+1])
		}
		return r
	}
	rpc := Request{GRPC: "/shop.Orders/Get", Header: map[string][]string{"x-user": {"ann"}}}
	ann := Request{Method: "GET", Claims: claims{"sub": "ann", "team": "qa-2"}, Caller: map[string]string{"zone": "eu-1", "team": "web"}}

	for name, c := range map[string]struct {
		match string
		r     Request
		want  bool
	}{
		"nothing matches everything": {"{}", post, true},
		"nothing matches gRPC":       {"{}", rpc, true},

		"a method is one of them":          {"{methods: [PUT, POST]}", post, true},
		"another method is not":            {"{methods: [PUT]}", post, false},
		"a method is not one in small":     {"{methods: [POST]}", Request{Method: "post"}, false},
		"a path begins with a prefix":      {"{path: {prefix: /check}}", post, true},
		"a path is exact":                  {"{path: {exact: /checkout/7}}", post, true},
		"a path that goes on is not exact": {"{path: {exact: /checkout}}", post, false},
		"all parts must match":             {"{methods: [POST], path: {prefix: /cart}}", post, false},

		"a gRPC method":                     {"{grpc: /shop.Orders/Get}", rpc, true},
		"another gRPC method":               {"{grpc: /shop.Orders/GetAll}", rpc, false},
		"all methods of a service":          {"{grpc: /shop.Orders/}", rpc, true},
		"of another service":                {"{grpc: /shop.Order/}", rpc, false},
		"HTTP is not gRPC":                  {"{grpc: /shop.Orders/}", Request{Method: "POST", Path: "/shop.Orders/Get"}, false},
		"gRPC has no method of HTTP":        {"{methods: [POST]}", Request{Method: "POST", GRPC: "/a/b"}, false},
		"gRPC has no path":                  {"{path: {prefix: /}}", rpc, false},
		"metadata is found in small":        {"{headers: {X-User: {exact: ann}}}", rpc, true},
		"a header is found in any case":     {"{headers: {x-uSER: {exact: ann}}}", with("X-User", "ann"), true},
		"a header has another value":        {"{headers: {x-user: {exact: ann}}}", with("X-User", "anna"), false},
		"one of a header's values is right": {"{headers: {x-user: {exact: ann}}}", with("X-User", "bob", "X-User", "ann"), true},
		"a header begins with a prefix":     {"{headers: {x-user: {prefix: an}}}", with("X-User", "ann"), true},
		"a header that is not there":        {"{headers: {x-user: {prefix: an}}}", with(), false},
		"a header is there":                 {"{headers: {x-user: {present: true}}}", with("X-User", ""), true},
		"a header is to be there":           {"{headers: {x-user: {present: true}}}", with(), false},
		"a header is absent":                {"{headers: {x-user: {absent: true}}}", with(), true},
		"a header is to be absent":          {"{headers: {x-user: {absent: true}}}", with("X-User", "x"), false},
		"no headers at all":                 {"{headers: {x-user: {absent: true}}}", post, true},

		"a cookie among others":         {"{cookies: {beta: {exact: b}}}", with("Cookie", "alpha=a; beta=b;gamma=c"), true},
		"a cookie in a second header":   {"{cookies: {beta: {exact: b}}}", with("Cookie", "alpha=a", "Cookie", "beta=b"), true},
		"a cookie in quotes":            {"{cookies: {beta: {exact: b}}}", with("Cookie", `beta="b"`), true},
		"a cookie's name is whole":      {"{cookies: {beta: {exact: b}}}", with("Cookie", "xbeta=b; betax=b"), false},
		"a cookie's name has its case":  {"{cookies: {beta: {exact: b}}}", with("Cookie", "Beta=b"), false},
		"the first of two cookies":      {"{cookies: {beta: {exact: b}}}", with("Cookie", "beta=a; beta=b"), false},
		"a cookie without a value":      {"{cookies: {beta: {present: true}}}", with("Cookie", "beta="), true},
		"what is no cookie":             {"{cookies: {beta: {present: true}}}", with("Cookie", "beta; =b;; ="), false},
		"a cookie that is to be absent": {"{cookies: {beta: {absent: true}}}", with("Cookie", "alpha=a"), true},

		"a claim":                        {"{claims: {sub: {exact: ann}}}", ann, true},
		"a claim with another value":     {"{claims: {sub: {exact: bob}}}", ann, false},
		"a claim begins with a prefix":   {"{claims: {team: {prefix: qa-}}}", ann, true},
		"a claim is absent":              {"{claims: {role: {absent: true}}}", ann, true},
		"without claims there are none":  {"{claims: {sub: {present: true}}}", post, false},
		"without claims they are absent": {"{claims: {sub: {absent: true}}}", post, true},
		"the caller's labels":            {"{caller: {zone: eu-1, team: web}}", ann, true},
		"one label is another":           {"{caller: {zone: eu-1, team: api}}", ann, false},
		"a caller without labels":        {"{caller: {zone: eu-1}}", post, false},
	} {
		t.Run(name, func(t *testing.T) {
			table := compile(t, "routes: [{name: it, match: "+c.match+"}]")
			if got := table.Route(&c.r, never).Route == "it"; got != c.want {
				t.Errorf("%s matches %+v: %v, want %v", c.match, c.r, got, c.want)
			}
		})
	}
}

func TestTheFirstThatMatchesDecides(t *testing.T) {
	table := compile(t, `
timeout: 9s
variants: {new: {version: 2, labels: {tier: web}}}
routes:
  - {name: off, percent: 0}
  - {name: posts, match: {methods: [POST]}, timeout: 1s, split: [{variant: new}]}
  - {name: rest, match: {path: {prefix: /a}}}
`)
	for _, c := range []struct {
		r       Request
		want    string
		seconds float64
	}{
		{Request{Method: "POST", Path: "/a"}, `route "posts": variant "new"`, 1},
		{Request{Method: "GET", Path: "/a"}, `route "rest": all instances`, 9},
		{Request{Method: "GET", Path: "/b"}, `no route: all instances`, 9},
	} {
		d := table.Route(&c.r, never)
		if d.String() != c.want || d.Settings.Timeout.Seconds() != c.seconds {
			t.Errorf("%+v: %s with %v, want %s with %v s", c.r, d.String(), d.Settings.Timeout, c.want, c.seconds)
		}
		_, _, set := d.SetCookie()
		if set {
			t.Errorf("%+v: a cookie is to be set", c.r)
		}
	}
	d := table.Route(&Request{Method: "POST"}, never)
	if d.Selector == nil || d.Selector != table.Variant("new") {
		t.Fatalf("the selector is %+v", d.Selector)
	}
	for version, want := range map[string]bool{"2": true, "1": false} {
		m := discovery.Member{Instance: discovery.Instance{Version: version, Labels: map[string]string{"tier": "web"}}}
		if d.Selector.Match(&m) != want {
			t.Errorf("version %s is chosen: %v", version, !want)
		}
	}
	if table.Variant("old") != nil {
		t.Error("a variant that the document does not name has a selector")
	}
}

func TestATableKeepsNothingOfItsDocument(t *testing.T) {
	doc, err := Parse([]byte("variants: {a: {labels: {x: y}}}\nroutes: [{name: r, match: {methods: [GET]}}]"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := doc.Compile()
	if err != nil {
		t.Fatal(err)
	}
	doc.Variants["a"].Labels["x"] = "z"
	doc.Routes[0].Match.Methods[0] = "PUT"
	doc.Retry.Methods[0], doc.Failure.HTTP[0] = "PUT", Statuses{200, 299}
	_, failed := table.HTTPFailure(200, nil)
	if table.Variant("a").Labels["x"] != "y" || table.Route(&Request{Method: "GET"}, never).Route != "r" ||
		!table.Settings().Retry.Repeatable(&Request{Method: "GET"}) || failed {
		t.Error("a change of the document changed the table")
	}
}

func TestASplitWithoutAKeyIsDrawn(t *testing.T) {
	table := compile(t, route1("split: [{variant: x, weight: 3}, {variant: y}], sticky: {header: x-user}"))
	random := rand.New(rand.NewPCG(1, 2)).Uint64
	const n = 20_000
	got := 0
	for range n {
		if table.Route(&Request{}, random).Variant == "x" {
			got++
		}
	}
	if ratio := float64(got) / n; ratio < 0.735 || ratio > 0.765 {
		t.Errorf("x has %.3f of the requests, want 0.75", ratio)
	}
}

func TestAStickyValueHasOnePlace(t *testing.T) {
	for by, r := range map[string]Request{
		"header: x-user": {Header: http.Header{"X-User": {"ann"}}},
		"cookie: place":  {Header: http.Header{"Cookie": {"a=b; place=ann"}}},
		"claim: sub":     {Claims: claims{"sub": "ann"}},
		"path: true":     {Path: "ann"},
	} {
		table := compile(t, route1("percent: 90, split: [{variant: x}, {variant: y}], sticky: {"+by+"}"))
		first := table.Route(&r, never)
		for range 3 {
			if again := table.Route(&r, never); again != first {
				t.Errorf("%s: %+v, and then %+v", by, first, again)
			}
		}
		if _, _, set := first.SetCookie(); set {
			t.Errorf("%s: a cookie is to be set", by)
		}
	}
}

func TestACookieIsDrawnAndPlacesItsSender(t *testing.T) {
	table := compile(t, route1("split: [{variant: x, weight: 9}, {variant: y}], sticky: {cookie: place}"))
	random := rand.New(rand.NewPCG(1, 2)).Uint64
	const n = 20_000
	got, values := 0, make(map[string]bool)
	for range n {
		d := table.Route(&Request{Header: http.Header{"Cookie": {"place="}}}, random) // an empty one is none
		name, value, set := d.SetCookie()
		if !set || name != "place" || len(value) != 16 {
			t.Fatalf("the cookie is %q=%q, %v", name, value, set)
		}
		values[value] = true
		again := table.Route(&Request{Header: http.Header{"Cookie": {"place=" + value}}}, never)
		if again.Variant != d.Variant {
			t.Fatalf("%s was placed at %s, and with its cookie at %s", value, d.Variant, again.Variant)
		}
		if _, _, set := again.SetCookie(); set {
			t.Fatal("who has the cookie is to have another")
		}
		if d.Variant == "x" {
			got++
		}
	}
	if ratio := float64(got) / n; ratio < 0.89 || ratio > 0.91 {
		t.Errorf("x has %.3f of the senders, want 0.9", ratio)
	}
	if len(values) != n {
		t.Errorf("%d values for %d senders", len(values), n)
	}
}

// Else whoever is left out draws again with each request, until it is in (fluxcd/flagger#1783).
func TestWhoIsLeftOutHasACookieToo(t *testing.T) {
	table := compile(t, "routes: [{name: part, percent: 10, sticky: {cookie: place}}, {name: rest, timeout: 1s}]")
	random := rand.New(rand.NewPCG(1, 2)).Uint64
	const n = 20_000
	in := 0
	for range n {
		d := table.Route(&Request{}, random)
		_, value, set := d.SetCookie()
		if !set {
			t.Fatalf("%s: no cookie", d.String())
		}
		if again := table.Route(&Request{Header: http.Header{"Cookie": {"place=" + value}}}, never); again.Route != d.Route {
			t.Fatalf("in %s, and with its cookie in %s", d.Route, again.Route)
		}
		if d.Route == "part" {
			in++
		}
	}
	if ratio := float64(in) / n; ratio < 0.09 || ratio > 0.11 {
		t.Errorf("%.3f are in, want 0.1", ratio)
	}
}

func TestOneDrawPlacesASenderInAllRoutes(t *testing.T) {
	table := compile(t, `routes:
- {name: a, percent: 1, sticky: {cookie: place}}
- {name: b, percent: 1, sticky: {cookie: place}}`)
	draws := 0
	d := table.Route(&Request{}, func() uint64 { draws++; return 1 })
	if draws != 1 || d.Route != "" {
		t.Errorf("%d draws, %s", draws, d.String())
	}
}

func TestNothingIsDrawnWhereNothingIsDecided(t *testing.T) {
	for name, route := range map[string]string{
		"no split, all requests":  "sticky: {cookie: place}",
		"one arm with a weight":   "split: [{variant: x}, {variant: y, weight: 0}], sticky: {cookie: place}",
		"no request":              "percent: 0, sticky: {cookie: place}",
		"all requests, one arm":   "split: [{variant: x}]",
		"a match that is not one": "match: {methods: [PUT]}, percent: 50, sticky: {cookie: place}",
	} {
		d := compile(t, route1(route)).Route(&Request{Method: "GET"}, never)
		if _, _, set := d.SetCookie(); set {
			t.Errorf("%s: a cookie is to be set", name)
		}
	}
}

func TestHashKeyIsThePolicys(t *testing.T) {
	table := compile(t, "policy: {name: consistent_hash, hash: {path: true}}")
	a, ok := table.HashKey(&Request{Path: "/a"})
	b, _ := table.HashKey(&Request{Path: "/b"})
	rpc, _ := table.HashKey(&Request{GRPC: "/a"})
	if !ok || a == b || a != rpc {
		t.Errorf("%x, %x, %x", a, b, rpc)
	}
	if _, ok := compile(t, "").HashKey(&Request{Path: "/a"}); ok {
		t.Error("a policy without a hash has a key")
	}
}

func TestWhatCountsAsAFailure(t *testing.T) {
	byDefault := compile(t, "")
	for status, want := range map[int]bool{200: false, 404: false, 429: false, 499: false, 500: true, 503: true, 599: true, 600: false} {
		if _, failed := byDefault.HTTPFailure(status, nil); failed != want {
			t.Errorf("HTTP %d fails: %v, want %v", status, failed, want)
		}
	}
	for code, want := range map[codes.Code]bool{
		codes.OK: false, codes.Canceled: false, codes.NotFound: false, codes.ResourceExhausted: false, codes.InvalidArgument: false,
		codes.Unknown: true, codes.Unimplemented: true, codes.Internal: true, codes.Unavailable: true, codes.DataLoss: true, codes.DeadlineExceeded: true,
	} {
		if _, failed := byDefault.GRPCFailure(code, nil); failed != want {
			t.Errorf("gRPC %v fails: %v, want %v", code, failed, want)
		}
	}
	table := compile(t, "failure: {http: [429, 502-504], grpc: [NOT_FOUND], header: x-error-class, classes: [overloaded]}\nretry: {on: [overloaded]}")
	for status, want := range map[int]bool{429: true, 500: false, 502: true, 504: true} {
		if _, failed := table.HTTPFailure(status, nil); failed != want {
			t.Errorf("with a document HTTP %d fails: %v, want %v", status, failed, want)
		}
	}
	if class, failed := table.HTTPFailure(200, http.Header{"X-Error-Class": {"overloaded"}}); class != "overloaded" || !failed {
		t.Errorf("HTTP 200 of a class: %q, %v", class, failed)
	}
	if class, failed := table.HTTPFailure(200, http.Header{"X-Error-Class": {"fine"}}); class != "" || failed {
		t.Errorf("HTTP 200 of another class: %q, %v", class, failed)
	}
	if class, failed := table.GRPCFailure(codes.OK, map[string][]string{"x-error-class": {"overloaded"}}); class != "overloaded" || !failed {
		t.Errorf("gRPC OK of a class: %q, %v", class, failed)
	}
	if class, failed := table.GRPCFailure(codes.Canceled, map[string][]string{"x-error-class": {"overloaded"}}); class != "" || failed {
		t.Errorf("what the caller cancelled: %q, %v", class, failed)
	}
}

func TestWhatMayBeSentAgain(t *testing.T) {
	retry := &compile(t, "retry: {on: [refused, timeout], methods: [GET, /shop.Orders/Get, /shop.Reports/]}").Settings().Retry
	for name, c := range map[string]struct {
		r     Request
		cause string
		want  bool
	}{
		"a method of the list":         {Request{Method: "GET"}, Timeout, true},
		"another":                      {Request{Method: "POST"}, Timeout, false},
		"another that was refused":     {Request{Method: "POST"}, Refused, true},
		"a cause that is not listed":   {Request{Method: "GET"}, Unavailable, false},
		"an RPC of the list":           {Request{GRPC: "/shop.Orders/Get"}, Timeout, true},
		"an RPC of a listed service":   {Request{GRPC: "/shop.Reports/Daily"}, Timeout, true},
		"another RPC":                  {Request{GRPC: "/shop.Orders/Put"}, Timeout, false},
		"another RPC that was refused": {Request{GRPC: "/shop.Orders/Put"}, Refused, true},
		"a path like a listed RPC":     {Request{Method: "POST", Path: "/shop.Orders/Get"}, Timeout, false},
	} {
		if got := retry.Allows(&c.r, c.cause); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRouteDoesNotAllocate(t *testing.T) {
	table, r := benchmarkTable(t), benchmarkRequest()
	random := rand.Uint64
	for name, r := range map[string]*Request{"a cookie": r, "no cookie": {Method: "POST", Path: "/checkout/7", Header: http.Header{"X-Tenant": {"a"}}}} {
		if d := table.Route(r, random); d.Route != "checkout" {
			t.Fatalf("%s: %s", name, d.String())
		}
		if n := testing.AllocsPerRun(1000, func() { table.Route(r, random) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func benchmarkTable(t testing.TB) *Table {
	return compile(t, `
variants: {stable: {version: 1}, canary: {version: 2}}
routes:
- {name: other, match: {methods: [GET], path: {prefix: /other/}}}
- name: testers
  match: {headers: {x-tester: {present: true}}}
  split: [{variant: canary}]
- name: checkout
  match: {methods: [POST], path: {prefix: /checkout/}, headers: {x-tenant: {exact: a}}}
  percent: 99.999999
  split: [{variant: stable, weight: 9}, {variant: canary}]
  sticky: {cookie: place}
`)
}

func benchmarkRequest() *Request {
	return &Request{Method: "POST", Path: "/checkout/7", Header: http.Header{"X-Tenant": {"a"}, "Cookie": {"session=abc; place=0123456789abcdef"}}}
}
