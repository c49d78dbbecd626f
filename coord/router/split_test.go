// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/metadata"
)

const variants = `
variants:
  blue: {labels: {color: blue}}
  green: {labels: {color: green}}
  red: {labels: {color: red}}
`

// colours returns instances of three variants.
func colours(n *network) (blue, green, red *peer, all []*peer) {
	blue = n.join("blue", labelled("color", "blue"))
	green = n.join("green", labelled("color", "green"))
	red = n.join("red", labelled("color", "red"))
	return blue, green, red, []*peer{blue, green, red}
}

type claims map[string]string

func (c claims) Claim(name string) (string, bool) { v, ok := c[name]; return v, ok }

func TestRoutesChooseAVariant(t *testing.T) {
	for name, c := range map[string]struct {
		match  string
		labels map[string]string // of the calling process
		yes    func(*http.Request)
		no     func(*http.Request)
	}{
		"by a header": {match: "headers: {x-tester: {exact: 'yes'}}", yes: withHeader("X-Tester", "yes"), no: withHeader("X-Tester", "no")},
		"by a cookie": {match: "cookies: {beta: {present: true}}", yes: withHeader("Cookie", "a=1; beta=1"), no: withHeader("Cookie", "a=1")},
		"by a claim": {match: "claims: {team: {exact: qa}}", yes: func(req *http.Request) {
			*req = *req.WithContext(router.ContextWithClaims(req.Context(), claims{"team": "qa"}))
		}, no: func(req *http.Request) {
			*req = *req.WithContext(router.ContextWithClaims(req.Context(), claims{"team": "sales"}))
		}},
		"by the path":   {match: "path: {prefix: /new/}", yes: func(req *http.Request) { req.URL.Path = "/new/1" }, no: func(req *http.Request) { req.URL.Path = "/old/1" }},
		"by the method": {match: "methods: [PUT]", yes: func(req *http.Request) { req.Method = "PUT" }, no: func(*http.Request) {}},
		"by the caller's labels, and the path": {match: "caller: {ring: canary}\n      path: {exact: /c}", labels: map[string]string{"ring": "canary"},
			yes: func(req *http.Request) { req.URL.Path = "/c" }, no: func(*http.Request) {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				blue, green, red, all := colours(n)
				_, client, reader := on(t, n, table(t, instances(all...)...), router.WithCaller("me", c.labels), router.WithRules(documentOf(t, variants+`
routes:
  - name: special
    match:
      `+c.match+`
    split: [{variant: green}]
  - name: rest
    split: [{variant: blue}]
`)))
				for range 20 {
					if id, err := send(t, client, http.MethodGet, c.yes); err != nil || id != "green" {
						t.Fatalf("who matches got to %q, %v", id, err)
					}
					if id, err := send(t, client, http.MethodGet, c.no); err != nil || id != "blue" {
						t.Fatalf("who does not got to %q, %v", id, err)
					}
				}
				if served(red) != 0 || served(blue) != served(green) {
					t.Errorf("blue served %d, green %d, red %d", served(blue), served(green), served(red))
				}
				for key, want := range map[string]map[string]uint64{
					semconv.RouteRoute: {"special": 20, "rest": 20}, semconv.RouteVariant: {"green": 20, "blue": 20},
				} {
					if got := counts(t, reader, semconv.RouteDuration, key); fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("recorded by %s: %v, want %v", key, got, want)
					}
				}
			})
		})
	}
}

func TestSplitsGoByWeightAndPercent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		blue, green, red, all := colours(n)
		_, client, _ := on(t, n, table(t, instances(all...)...), router.WithRules(documentOf(t, variants+`
routes:
  - {name: some, percent: 20, split: [{variant: red}]}
  - {name: rest, split: [{variant: blue, weight: 3}, {variant: green, weight: 1}]}
`)))
		const many = 4000
		for range many {
			if _, err := send(t, client, http.MethodGet); err != nil {
				t.Fatal(err)
			}
		}
		for p, want := range map[*peer]float64{red: 0.2, blue: 0.6, green: 0.2} { // five deviations are at most 4 %
			if got := float64(served(p)) / many; got < want-0.04 || got > want+0.04 {
				t.Errorf("%s got %.3f of the requests, want %.2f", p.ID, got, want)
			}
		}
	})
}

func TestANewArmMovesOnlyItsShareOfTheUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		_, _, _, all := colours(n)
		const two = variants + `
routes: [{name: all, sticky: {header: x-user}, split: [{variant: blue}, {variant: green}]}]
`
		documents := documentOf(t, two)
		_, client, _ := on(t, n, table(t, instances(all...)...), router.WithRules(documents))
		const users = 1500
		where := func() []string {
			var list []string
			for i := range users {
				id, err := send(t, client, http.MethodGet, withHeader("X-User", fmt.Sprint("user ", i)))
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, id)
			}
			return list
		}
		before := where()
		if again := where(); fmt.Sprint(again) != fmt.Sprint(before) {
			t.Fatal("users were moved though nothing changed")
		}
		if err := documents.Put("orders", []byte(variants+`
routes: [{name: all, sticky: {header: x-user}, split: [{variant: blue}, {variant: green}, {variant: red}]}]
`)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the router has it
		moved := 0
		for i, id := range where() {
			if id == before[i] {
				continue
			}
			if moved++; id != "red" {
				t.Errorf("user %d was moved from %s to %s", i, before[i], id)
			}
		}
		if part := float64(moved) / users; part < 0.28 || part > 0.39 {
			t.Errorf("%.3f of the users were moved, want a third", part)
		}
	})
}

func TestAStickyCookieIsSetOnceAndHeldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		_, _, _, all := colours(n)
		all[0].answers = func(resp *http.Response) { resp.Header = nil } // some transports have none
		_, client, _ := on(t, n, table(t, instances(all...)...), router.WithRules(documentOf(t, variants+`
routes:
  - {name: some, percent: 50, sticky: {cookie: place}, split: [{variant: blue}, {variant: green}]}
  - {name: rest, split: [{variant: red}]}
`)))
		seen := make(map[string]bool)
		for range 40 {
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			user := &http.Client{Transport: client.Transport, Jar: jar}
			first := ""
			for i := range 5 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := user.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got := len(resp.Cookies()); got != 0 != (i == 0) {
					t.Errorf("request %d: %d cookies", i, got)
				}
				at := ""
				for _, p := range all {
					if p.served.Swap(0) == 1 {
						at = p.ID
					}
				}
				if first == "" {
					first = at
				}
				if at != first {
					t.Errorf("a user went from %s to %s", first, at)
				}
			}
			seen[first] = true
		}
		if len(seen) != 3 {
			t.Errorf("users were only at %v", seen)
		}
	})
}

func TestAVariantOfWhichNobodyIsThereFallsBackToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		blue, green := n.join("blue", labelled("color", "blue")), n.join("green", labelled("color", "green"))
		d := table(t, instances(blue)...)
		_, client, _ := on(t, n, d, router.WithRules(documentOf(t, variants+"\nslow_start: 0s\nroutes: [{name: all, split: [{variant: green}]}]")))
		if id, err := send(t, client, http.MethodGet); err != nil || id != "blue" {
			t.Errorf("got to %q, %v", id, err)
		}
		if err := d.Set(instances(blue, green)...); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range 20 {
			if id, err := send(t, client, http.MethodGet); err != nil || id != "green" {
				t.Errorf("got to %q, %v, now that the variant is there", id, err)
			}
		}
	})
}

func TestTheCallersSpanSaysWhereItsRequestWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		n := newNetwork()
		_, _, _, all := colours(n)
		_, client, _ := on(t, n, table(t, instances(all...)...), router.WithRules(documentOf(t, variants+"routes: [{name: all, split: [{variant: green}]}]")))
		ctx, span := provider.Tracer("test").Start(t.Context(), "call")
		_, err := send(t, client, http.MethodGet, func(req *http.Request) { *req = *req.WithContext(ctx) })
		span.End()
		if err != nil {
			t.Fatal(err)
		}
		set := attribute.NewSet(spans.Ended()[0].Attributes()...)
		for key, want := range map[string]string{
			semconv.RouteService: "orders", semconv.RouteInstance: "green", semconv.RouteRoute: "all", semconv.RouteVariant: "green", semconv.RouteZone: "z1",
		} {
			if v, _ := set.Value(attribute.Key(key)); v.AsString() != want {
				t.Errorf("%s is %q, want %q", key, v.AsString(), want)
			}
		}
	})
}

func TestRPCsAreRoutedByTheirMetadataAndMethod(t *testing.T) {
	a, b := newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
	a.Labels, b.Labels = map[string]string{"color": "blue"}, map[string]string{"color": "green"}
	r, _, _ := newRouter(t, table(t, a.Instance, b.Instance), router.WithRules(documentOf(t, variants+`
routes:
  - name: special
    match: {grpc: /grpc.health.v1.Health/, headers: {X-Tester: {exact: "yes"}}}
    split: [{variant: green}]
  - {name: rest, split: [{variant: blue}]}
`)))
	client := dial(t, r)
	tester := metadata.AppendToOutgoingContext(t.Context(), "x-tester", "yes")
	coordtest.Eventually(t, patience, func() bool {
		_, _ = check(t.Context(), client, ""), check(tester, client, "")
		return a.served.Load() > 0 && b.served.Load() > 0
	}, "both serve")
	a0, b0 := a.served.Load(), b.served.Load()
	for range 10 {
		if check(t.Context(), client, "") != nil || check(tester, client, "") != nil {
			t.Fatal("failed")
		}
	}
	if a.served.Load()-a0 != 10 || b.served.Load()-b0 != 10 {
		t.Errorf("blue served %d, green %d; want 10 each", a.served.Load()-a0, b.served.Load()-b0)
	}
}

func TestADocumentMayChangeWhileRequestsFly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		_, _, _, all := colours(n)
		for _, p := range all {
			p.takes.Store(int64(10 * time.Millisecond))
		}
		documents := documentOf(t, "")
		r, client, _ := on(t, n, table(t, instances(all...)...), router.WithRules(documents))
		stop := make(chan struct{})
		done := make(chan struct{})
		for range 8 {
			go func() {
				defer func() { done <- struct{}{} }()
				for {
					select {
					case <-stop:
						return
					default:
						if _, err := send(t, client, http.MethodGet); err != nil {
							t.Error(err)
							return
						}
					}
				}
			}()
		}
		for i, text := range []string{
			"policy: {name: prequal}", "policy: {name: consistent_hash, hash: {path: true}}", variants + "routes: [{name: all, split: [{variant: red}]}]",
			"hedge: {after: 0.5}", "subset: {enabled: true, min: 1}", "policy: {name: round_robin}\nbreaker: {requests: 5}", "timeout: 1s", "nonsense",
		} {
			time.Sleep(1500 * time.Millisecond)
			if err := documents.Put("orders", []byte(text)); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		time.Sleep(time.Second)
		close(stop)
		for range 8 {
			<-done
		}
		synctest.Wait()
		for _, p := range all {
			if c := stateOf(t, r, p.ID); c.InFlight != 0 || c.State != router.Active {
				t.Errorf("%s: %+v", p.ID, c)
			}
		}
		if err := documents.Delete("orders"); err != nil {
			t.Error(err)
		}
	})
}
