// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const explainedDocument = `
policy: {name: least_request}
variants:
  stable: {version: "1"}
  canary: {version: "2"}
  gone: {version: "3"}
routes:
- name: testers
  match: {headers: {x-tester: {present: true}}}
  split: [{variant: canary}]
  timeout: 2s
- name: nobody
  match: {path: {exact: /gone}}
  split: [{variant: gone}]
- name: checkout
  match: {path: {prefix: /checkout}, caller: {service: storefront}}
  split: [{variant: stable, weight: 3}, {variant: canary, weight: 1}]
  breaker: {mode: observe}
`

// instanceOf returns an instance of orders that nobody connects to.
func instanceOf(id, version, zone string) discovery.Instance {
	return discovery.Instance{
		Service: "orders", ID: id, Version: version, Zone: zone,
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}},
	}
}

// explained returns a router that knows four instances, what the fleet says of two of them,
// and what operators force.
func explained(t *testing.T) *router.Router {
	t.Helper()
	signals := signal.Memory()
	bad := signal.Evidence{Seconds: 1, Requests: 20, Failures: 19, Callers: []signal.Caller{{Hash: 1, Requests: 20, Failures: 19}}}
	if err := signals.Put(&signal.Share{Service: "orders", Collector: "c1", Shards: 1, Instances: []signal.Instance{
		{ID: "a", ServiceDemand: 4 * time.Millisecond, Parallelism: 3.5},
		{ID: "b", Evidence: bad, Latch: signal.Latch{State: signal.Bad, Episode: 2, Hold: time.Minute}},
	}}); err != nil {
		t.Fatal(err)
	}
	forced := override.Memory()
	for _, o := range []override.Override{
		{Service: "orders", Kind: override.Eject, Instance: "d", State: override.Ejected, For: time.Minute, By: "ada", Reason: "its disk fails"},
		{Service: "orders", Kind: override.Breaker, Route: "checkout", State: override.Open, For: time.Minute, By: "ada", Reason: "a test"},
	} {
		if err := forced.Set(o); err != nil {
			t.Fatal(err)
		}
	}
	r, _, _ := newRouter(t, table(t,
		instanceOf("a", "1", "z1"), instanceOf("b", "1", "z1"), instanceOf("c", "2", "z2"), instanceOf("d", "2", "z1")),
		router.WithSignals(signals), router.WithOverrides(forced), router.WithRules(documentOf(t, explainedDocument)),
		router.WithZone("z1"), router.WithCaller("storefront-1", map[string]string{"service": "storefront"}))
	t.Cleanup(func() { r.Close(); signals.Close(); forced.Close() })
	if err := r.Ready(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	return r
}

func mustExplain(t *testing.T, r *router.Router, req rules.Request) router.Explanation {
	t.Helper()
	e, err := r.ExplainRequest("orders", req)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAnExplanationNamesWhatDecidesARequest(t *testing.T) {
	r := explained(t)
	for _, tt := range []struct {
		name      string
		r         rules.Request
		decisions []router.Decision // without their settings
		timeout   time.Duration     // of the first
	}{
		{
			"a route that matches decides alone, by its own settings",
			rules.Request{Method: "GET", Path: "/", Header: map[string][]string{"X-Tester": {"1"}}},
			[]router.Decision{{Route: "testers", Variant: "canary", Share: 1, Admit: 1, Instances: []string{"c"}}}, 2 * time.Second,
		},
		{
			"what no route takes goes to all that are in rotation",
			rules.Request{Method: "GET", Path: "/"},
			[]router.Decision{{Share: 1, Admit: 1, Instances: []string{"a", "c"}}}, 0,
		},
		{
			"a split has both arms; what an operator forces holds, though the breaker itself only observes",
			rules.Request{Method: "GET", Path: "/checkout"},
			[]router.Decision{
				{Route: "checkout", Variant: "stable", Share: 0.75, Admit: 0, Instances: []string{"a"}},
				{Route: "checkout", Variant: "canary", Share: 0.25, Admit: 0, Instances: []string{"c"}},
			}, 0,
		},
		{
			"a variant of which nobody is in rotation is as good as none",
			rules.Request{Method: "GET", Path: "/gone"},
			[]router.Decision{{Route: "nobody", Variant: "gone", Share: 1, Admit: 1, Instances: []string{"a", "c"}, Fallback: true}}, 0,
		},
		{
			"who calls counts: another is not the router's own caller",
			rules.Request{Method: "GET", Path: "/checkout", Caller: map[string]string{"service": "batch"}},
			[]router.Decision{{Share: 1, Admit: 1, Instances: []string{"a", "c"}}}, 0,
		},
		{
			"nobody serves gRPC",
			rules.Request{GRPC: "/shop.Orders/Get"},
			[]router.Decision{{Share: 1, Admit: 1, Instances: []string{}}}, 0,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := mustExplain(t, r, tt.r).Decisions
			if len(got) != len(tt.decisions) {
				t.Fatalf("%d decisions, want %d: %+v", len(got), len(tt.decisions), got)
			}
			if got[0].Settings.Timeout != tt.timeout {
				t.Errorf("timeout %v, want %v", got[0].Settings.Timeout, tt.timeout)
			}
			for i, want := range tt.decisions {
				is := got[i]
				if is.Route != want.Route || is.Variant != want.Variant || is.Share != want.Share || is.Admit != want.Admit ||
					is.Fallback != want.Fallback || !slices.Equal(is.Instances, want.Instances) {
					t.Errorf("decision %d is %+v, want %+v", i, is, want)
				}
			}
		})
	}
}

func TestAnExplanationNamesWhoKeepsAnInstanceOut(t *testing.T) {
	r := explained(t)
	e := mustExplain(t, r, rules.Request{Method: "GET", Path: "/checkout"})
	want := map[string]router.State{"a": router.Active, "b": router.EjectedByFleet, "c": router.Active, "d": router.EjectedByOperator}
	for _, c := range e.Choices {
		if c.State != want[c.Member.ID] {
			t.Errorf("%s is %s, want %s", c.Member.ID, c.State, want[c.Member.ID])
		}
		switch c.Member.ID {
		case "a":
			if c.Capacity.Demand != 4*time.Millisecond || c.Capacity.Parallelism != 3.5 || c.Load != nil {
				t.Errorf("capacity %+v, load %+v", c.Capacity, c.Load)
			}
		case "b":
			if c.Verdict == nil || c.Verdict.Failures != 19 || c.Reason != "fleet_verdict" {
				t.Errorf("the fleet's verdict is not told: %+v", c)
			}
		case "d":
			if c.Forced == nil || c.Forced.By != "ada" {
				t.Errorf("the operator's word is not told: %+v", c.Forced)
			}
		}
	}
	if e.Zone != "z1" || e.Stays <= 0 || !e.Signals || e.Panic || e.Policy != rules.LeastRequest || e.Document.Revision != 1 || len(e.Overrides) != 2 {
		t.Errorf("%+v", e)
	}
	if len(e.Breakers) != 2 || e.Breakers[0].State != signal.Closed || e.Breakers[0].Rule != "fleet" && e.Breakers[0].Rule != "local" ||
		e.Breakers[1].Route != "checkout" || e.Breakers[1].State != signal.Open || e.Breakers[1].Forced == nil || e.Breakers[1].Rule != "forced" {
		t.Errorf("breakers %+v", e.Breakers)
	}
}

func TestAnExplanationHasWhatTheRouterDidItself(t *testing.T) {
	e := mustExplain(t, explained(t), rules.Request{Method: "GET", Path: "/"})
	i := slices.IndexFunc(e.Acts, func(a acts.Act) bool { return a.Event == semconv.EventRouteEject })
	if i < 0 {
		t.Fatalf("acts %+v, want an ejection among them", e.Acts)
	}
	a := e.Acts[i]
	if a.Service != "orders" || a.Instance != "b" || a.Rule != "fleet_verdict" || a.Callers != 1 || a.BadCallers != 1 ||
		!slices.Contains(a.Figures, acts.Figure{Name: "failure_ratio", Value: 0.95, Threshold: signal.BadRatio}) || a.ID == "" || a.Effect != nil {
		t.Errorf("it is told as %+v", a)
	}
}

func TestARouterRemembersTheLastThingsThatItDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := listen(t)
		n := newNetwork()
		forced := override.Memory()
		t.Cleanup(func() { forced.Close() })
		r, _, _ := on(t, n, table(t, n.join("a").Instance), router.WithOverrides(forced))
		if err := r.Ready(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		for range 30 {
			for _, state := range []override.State{override.Open, override.Closed} {
				force(t, forced, override.Override{Kind: override.Breaker, State: state, For: time.Hour})
				synctest.Wait()
			}
		}
		told := heard.events()
		did := mustExplain(t, r, rules.Request{}).Acts
		if len(told) != 60 || len(did) != 32 {
			t.Fatalf("told %d acts and remembers %d, want 60 and 32", len(told), len(did))
		}
		for i, a := range did {
			if id := told[len(told)-len(did)+i].text(semconv.LogRecordUID); a.ID != id {
				t.Errorf("the act at %d is %s, want the last ones in their order: %s", i, a.ID, id)
			}
		}
	})
}

func TestAnExplanationTellsWhetherARequestMayBeSentTwice(t *testing.T) {
	r := explained(t)
	for method, want := range map[string]bool{"GET": true, "POST": false} {
		if d := mustExplain(t, r, rules.Request{Method: method, Path: "/"}).Decisions[0]; d.Repeatable != want {
			t.Errorf("%s is repeatable: %v", method, d.Repeatable)
		}
	}
}

func TestAnExplanationSendsAndCountsNothing(t *testing.T) {
	r := explained(t)
	for range 3 {
		mustExplain(t, r, rules.Request{Method: "GET", Path: "/"})
	}
	if own := mustExplain(t, r, rules.Request{Method: "GET", Path: "/"}).Own; own.Requests != 0 || own.Attempts != 0 {
		t.Errorf("counted %+v", own)
	}
	if _, err := r.ExplainRequest("no/name", rules.Request{}); err == nil {
		t.Error("a name that no service can have was explained")
	}
}

// The form of the JSON is a promise to programs.
func TestTheFormOfAnExplanationAsJSON(t *testing.T) {
	e := mustExplain(t, explained(t), rules.Request{Method: "GET", Path: "/checkout"})
	e.SignalsAge = 0
	e.Acts = []acts.Act{{ID: "1", Event: semconv.EventRouteEject, Service: "orders", Instance: "b", Rule: "fleet_verdict", Effect: new(acts.Effect)}}
	got, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/explanation.json"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(got, '\n'), want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
