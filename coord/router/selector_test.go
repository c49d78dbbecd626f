// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/otelplat/semconv"
)

// selector returns one of orders.
func selector(t *testing.T, r *router.Router) *router.Selector {
	t.Helper()
	s, err := r.Selector("orders")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSelectSendRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		r, _, reader := on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, "policy: {name: round_robin}")))
		s := selector(t, r)
		for _, c := range []struct {
			outcome router.Outcome
			name    string
		}{{router.OK, "ok"}, {router.Error, "error"}, {router.Timeout, "timeout"}, {router.Refused, "refused"}, {router.Cancelled, "cancelled"}} {
			chosen, err := s.Select(discovery.HTTP, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := stateOf(t, r, chosen.Member.ID).InFlight; got != 1 {
				t.Errorf("%d in flight, want the one that was selected", got)
			}
			time.Sleep(time.Second)
			chosen.Record(c.outcome)
			chosen.Record(router.Error) // a second time changes nothing
			if got := counts(t, reader, semconv.RouteDuration, semconv.RouteOutcome)[c.name]; got != 1 {
				t.Errorf("recorded %d of %q", got, c.name)
			}
			if got := stateOf(t, r, chosen.Member.ID).InFlight; got != 0 {
				t.Errorf("%d in flight in the end", got)
			}
		}
		stats := s.Stats()
		if stats.Requests != 5 || stats.Attempts != 4 || stats.Failures != 3 || stats.ErrorRatio() != 0.75 || stats.Extra != 0 {
			t.Errorf("stats %+v", stats)
		}
		if p := stats.Latency.Quantile(0.5); p < 0.95 || p > 1.05 || stats.Latency.Count() != 1 {
			t.Errorf("%d answers of %v s", stats.Latency.Count(), p)
		}
		time.Sleep(12 * time.Second)
		if later := s.Stats(); later.Requests != 0 || later.Attempts != 0 || later.ErrorRatio() != 0 {
			t.Errorf("twelve seconds later %+v", later)
		}
	})
}

func TestAnInstanceThatFailsIsNotSelected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b, c := n.join("a"), n.join("b"), n.join("c")
		r, _, _ := on(t, n, table(t, instances(a, b, c)...), router.WithRules(documentOf(t, "policy: {name: round_robin}")))
		s := selector(t, r)
		for range 60 {
			chosen, err := s.Select("", nil)
			if err != nil {
				t.Fatal(err)
			}
			outcome := router.OK
			if chosen.Member.ID == "a" {
				outcome = router.Error
			}
			chosen.Record(outcome)
		}
		if got := stateOf(t, r, "a"); got.State != router.Ejected || got.Reason != "consecutive_failures" {
			t.Errorf("a is %s: %s", got.State, got.Reason)
		}
	})
}

func TestSelectionsGoByRoutesAndProtocols(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		blue, green, _, all := colours(n)
		all[2].Endpoints = []discovery.Endpoint{{Protocol: "amqp", Address: "red.test:5672"}}
		r, _, _ := on(t, n, table(t, instances(all...)...), router.WithRules(documentOf(t, variants+`
routes: [{name: special, match: {headers: {x-tester: {present: true}}}, split: [{variant: green}]}]
policy: {name: weighted}
`)))
		s := selector(t, r)
		for range 20 {
			chosen, err := s.Select(discovery.HTTP, &rules.Request{Header: map[string][]string{"X-Tester": {"1"}}})
			if err != nil || chosen.Member.ID != green.ID || chosen.Route != "special" {
				t.Fatalf("%+v, %v", chosen, err)
			}
			chosen.Record(router.OK)
			chosen, err = s.Select("amqp", nil)
			if err != nil || chosen.Member.ID != "red" || chosen.Route != "" {
				t.Fatalf("%+v, %v", chosen, err)
			}
			chosen.Record(router.OK)
		}
		_, err := s.Select(discovery.GRPC, nil)
		none, ok := errors.AsType[*router.NoInstancesError](err)
		if !ok || none.NoEndpoint != 3 {
			t.Errorf("got %v", err)
		}
		_ = blue
		r.Close()
		if _, err := s.Select("", nil); !errors.Is(err, router.ErrClosed) {
			t.Errorf("of a closed router: %v", err)
		}
		if _, err := r.Selector("orders"); !errors.Is(err, router.ErrClosed) {
			t.Errorf("of a closed router: %v", err)
		}
	})
}

func TestASelectorIsToldOfLoadAndSaysWhoseItWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		r, _, _ := on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, "policy: {probes: 3, probes_per_second: 1000}")))
		s := selector(t, r)
		wanted := make(map[string]int)
		got := make(map[string]int)
		for range 200 {
			chosen, err := s.Select("", nil)
			if err != nil {
				t.Fatal(err)
			}
			got[chosen.Member.ID]++
			s.Wanted(func(id string) {
				wanted[id]++
				load := 0
				if id == "a" {
					load = 50
				}
				s.Heard(id, load, 10*time.Millisecond*time.Duration(load+1))
			})
			time.Sleep(150 * time.Millisecond) // what was heard 100 ms ago need not be asked for
			chosen.Record(router.OK)
		}
		s.Heard("nobody", 1, 0)
		if wanted["a"] == 0 || wanted["a"]+wanted["b"] > 600 {
			t.Errorf("asked %v", wanted)
		}
		if got["b"] < 3*got["a"] {
			t.Errorf("selected %v, want b, which has nothing to do", got)
		}
	})
}

func TestALoadThatCameWithAnAnswerIsNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		r, _, _ := on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, "policy: {probes: 3, probes_per_second: 1000}")))
		s := selector(t, r)
		wanted := 0
		for i := range 200 {
			chosen, err := s.Select("", nil)
			if err != nil {
				t.Fatal(err)
			}
			if i > 20 {
				s.Wanted(func(string) { wanted++ })
			}
			time.Sleep(10 * time.Millisecond)
			chosen.RecordLoad(1, 10*time.Millisecond)
			chosen.Record(router.OK)
		}
		if wanted > 10 {
			t.Errorf("asked %d times", wanted)
		}
	})
}

func TestSelectingAnUnusableNameIsAnError(t *testing.T) {
	r, _, _ := newRouter(t, table(t))
	if _, err := r.Selector("not a name"); err == nil {
		t.Error("no error")
	}
}
