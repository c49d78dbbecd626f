// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
)

func TestAnOperatorsEjectionHoldsUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		forced := override.Memory()
		t.Cleanup(func() { forced.Close() })
		r, client, _ := on(t, n, table(t, instances(a, b)...), router.WithOverrides(forced))
		if err := r.Ready(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		force(t, forced, override.Override{Kind: override.Eject, Instance: "a", State: override.Ejected, For: 30 * time.Second})
		synctest.Wait()
		for range 50 {
			if id, err := send(t, client, http.MethodGet); err != nil || id != "b" {
				t.Fatalf("got to %q, %v", id, err)
			}
		}
		force(t, forced, override.Override{Kind: override.Eject, Instance: "b", State: override.Ejected, For: 30 * time.Second})
		synctest.Wait()
		if _, err := send(t, client, http.MethodGet); !errors.Is(err, router.ErrNoInstances) {
			t.Errorf("all are out by an operator's word, and: %v", err)
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if _, err := send(t, client, http.MethodGet); err != nil {
			t.Errorf("it expired: %v", err)
		}
	})
}

func TestRequestsStayInTheirZoneUntilItIsTooMuchForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var here, there []*peer
		for i := range 3 {
			here = append(here, n.join(fmt.Sprint("here", i), inZone("z1")))
			there = append(there, n.join(fmt.Sprint("there", i), inZone("z2")))
		}
		d := table(t, instances(append(here, there...)...)...)
		documents := documentOf(t, "policy: {name: weighted}")
		_, client, _ := on(t, n, d, router.WithZone("z1"), router.WithRules(documents))
		for range 100 {
			_, _ = send(t, client, http.MethodGet)
		}
		if served(there...) != 0 {
			t.Errorf("%d of 100 left the zone", served(there...))
		}
		// One instance for half of the callers: it takes a quarter of the requests, two halves of
		// what an instance elsewhere gets.
		if err := d.Set(instances(append(here[:1:1], there...)...)...); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := served(here...)
		for range 1000 {
			_, _ = send(t, client, http.MethodGet)
		}
		if stayed := served(here...) - before; stayed < 420 || stayed > 580 {
			t.Errorf("%d of 1000 stayed, want half: a quarter of the capacity for half of the callers", stayed)
		}
		if err := documents.Put("orders", []byte("policy: {name: weighted}\nzone: {prefer: false}")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before = served(here...)
		for range 1000 {
			_, _ = send(t, client, http.MethodGet)
		}
		if stayed := served(here...) - before; stayed < 190 || stayed > 310 {
			t.Errorf("zones do not count, and %d of 1000 stayed, want a quarter", stayed)
		}
	})
}

func TestACallerWithASmallPartOfTheTrafficKnowsASubset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var peers []*peer
		var known []signal.Instance
		for i := range 40 {
			p := n.join(fmt.Sprintf("i%02d", i))
			peers = append(peers, p)
			known = append(known, signal.Instance{ID: p.ID, Windows: []signal.Window{{Seconds: 10, Requests: 10_000}}})
		}
		fleet := signal.Memory()
		reached := func(caller string) (ids []string) {
			for _, p := range peers {
				p.served.Store(0)
			}
			r, client, _ := on(t, n, table(t, instances(peers...)...), router.WithSignals(fleet), router.WithCaller(caller, nil),
				router.WithRules(documentOf(t, "subset: {enabled: true, min: 5}\npolicy: {name: weighted}")))
			if _, err := send(t, client, http.MethodGet); err != nil { // by which it knows its part
				t.Fatal(err)
			}
			if err := fleet.Put(&signal.Share{Service: "orders", Collector: "c1", Shards: 1, Instances: known}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for _, p := range peers {
				p.served.Store(0)
			}
			for range 300 {
				if _, err := send(t, client, http.MethodGet); err != nil {
					t.Fatal(err)
				}
			}
			r.Close()
			for _, p := range peers {
				if p.served.Load() > 0 {
					ids = append(ids, p.ID)
				}
			}
			return ids
		}
		one, again, other := reached("one"), reached("one"), reached("other")
		if len(one) != 5 || !slices.Equal(one, again) {
			t.Errorf("one reached %v, and then %v; want five, the same", one, again)
		}
		if len(other) != 5 || slices.Equal(one, other) {
			t.Errorf("other reached %v, one %v", other, one)
		}
	})
}

func TestAnEjectionIsFollowedByItsEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := listen(t)
		n := newNetwork()
		a, b, c := n.join("a"), n.join("b"), n.join("c")
		a.status.Store(500)
		r, client, _ := on(t, n, table(t, instances(a, b, c)...), router.WithRules(documentOf(t, "policy: {name: round_robin}")))
		for i := range 150 {
			_, _ = send(t, client, http.MethodGet)
			time.Sleep(100 * time.Millisecond)
			if did := mustExplain(t, r, rules.Request{}).Acts; i == 50 && (len(did) != 1 || did[0].Effect != nil) {
				t.Errorf("after 5 s it has done %+v, want one thing whose effect is not known", did)
			}
		}
		if names := heard.names(); fmt.Sprint(names) != "[eject effect]" {
			t.Fatalf("told %v", names)
		}
		eject, effect := heard.events()[0], heard.events()[1]
		if eject.text(semconv.RouteInstance) != "a" || eject.text(semconv.RouteFigure+".consecutive") != "5" || eject.text(semconv.RouteThreshold+".consecutive") != "5" ||
			eject.text(semconv.RouteInstances) != "3" || eject.text(semconv.RouteRotation) != "2" {
			t.Errorf("ejected by %v", eject.attrs.ToSlice())
		}
		if effect.text(semconv.RouteAct) != semconv.EventRouteEject || effect.text(semconv.RouteInstance) != "a" ||
			effect.text(semconv.RouteErrorsBefore) == "0" || effect.text(semconv.RouteErrorsAfter) != "0" ||
			effect.text(semconv.RouteActID) != eject.text(semconv.LogRecordUID) {
			t.Errorf("its effect: %v", effect.attrs.ToSlice())
		}
		did := mustExplain(t, r, rules.Request{}).Acts
		if len(did) != 1 || did[0].ID != eject.text(semconv.LogRecordUID) || did[0].Effect == nil || did[0].Effect.ErrorsBefore == 0 || did[0].Effect.ErrorsAfter != 0 {
			t.Errorf("the router says that it did %+v", did)
		}
	})
}

func TestAnEjectionThatIsOnlyObservedChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := listen(t)
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		a.status.Store(500)
		r, client, _ := on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, "ejection: {mode: observe}\npolicy: {name: round_robin}\nbreaker: {mode: off}")))
		for range 40 {
			_, _ = send(t, client, http.MethodGet)
		}
		if a.served.Load() != 20 || stateOf(t, r, "a").State != router.Active {
			t.Errorf("a served %d of 40 and is %s", a.served.Load(), stateOf(t, r, "a").State)
		}
		if names := heard.names(); fmt.Sprint(names) != "[would]" {
			t.Fatalf("told %v", names)
		}
		if act := heard.events()[0].text(semconv.RouteAct); act != semconv.EventRouteEject {
			t.Errorf("it would have: %q", act)
		}
		if did := mustExplain(t, r, rules.Request{}).Acts; len(did) != 1 || !did[0].Observed || did[0].Event != semconv.EventRouteEject {
			t.Errorf("the router says that it did %+v", did)
		}
	})
}

// firstOf always chooses the first instance.
type firstOf struct{}

func (firstOf) Choose(*balance.Candidates, balance.Request) int { return 0 }

func TestADocumentNamesThePolicy(t *testing.T) {
	for text, want := range map[string]func(a, b int64) bool{
		"policy: {name: mine}":                                        func(a, b int64) bool { return a == 40 },
		"policy: {name: round_robin}":                                 func(a, b int64) bool { return a == 20 },
		"policy: {name: weighted}":                                    func(a, b int64) bool { return a > 5 && b > 5 },
		"policy: {name: least_request}":                               func(a, b int64) bool { return a > 5 && b > 5 },
		"policy: {name: p2c_ewma}":                                    func(a, b int64) bool { return a > 5 && b > 5 },
		"policy: {name: prequal}":                                     func(a, b int64) bool { return a > 5 && b > 5 },
		"policy: {name: adaptive}":                                    func(a, b int64) bool { return a > 5 && b > 5 },
		"policy: {name: consistent_hash, hash: {header: x-user}}":     func(a, b int64) bool { return a == 40 || b == 40 },
		"policy: {name: consistent_hash, hash: {cookie: user}}\n":     func(a, b int64) bool { return a > 5 && b > 5 }, // nobody has it
		"policy: {name: consistent_hash, hash: {path: true}}\n# path": func(a, b int64) bool { return a == 40 || b == 40 },
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				a, b := n.join("a"), n.join("b")
				documents := rules.Memory("mine")
				if err := documents.Put("orders", []byte(text)); err != nil {
					t.Fatal(err)
				}
				_, client, _ := on(t, n, table(t, instances(a, b)...), router.WithRules(documents),
					router.WithPolicy("mine", func() balance.Policy { return firstOf{} }))
				for range 40 {
					if _, err := send(t, client, http.MethodGet, withHeader("X-User", "one")); err != nil {
						t.Fatal(err)
					}
				}
				if !want(a.served.Load(), b.served.Load()) {
					t.Errorf("a served %d, b %d", a.served.Load(), b.served.Load())
				}
			})
		})
	}
}
