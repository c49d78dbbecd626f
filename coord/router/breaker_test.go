// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log/logtest"
)

// told is what was told in events, in order.
type told struct{ recorder *logtest.Recorder }

// listen hears the events of a test.
func listen(t *testing.T) told {
	t.Helper()
	before := otel.GetLoggerProvider()
	recorder := logtest.NewRecorder()
	otel.SetLoggerProvider(recorder)
	t.Cleanup(func() { otel.SetLoggerProvider(before) })
	return told{recorder}
}

// events returns those of the router, as name and attributes.
func (h told) events() (list []event) {
	for scope, records := range h.recorder.Result() {
		if scope.Name != semconv.RouteScope {
			continue
		}
		for _, r := range records {
			list = append(list, event{r.EventName, attribute.NewSet(r.Attributes...)})
		}
	}
	return list
}

func (h told) names() (list []string) {
	for _, e := range h.events() {
		list = append(list, strings.TrimPrefix(e.name, "otelplat.route."))
	}
	return list
}

type event struct {
	name  string
	attrs attribute.Set
}

func (e event) text(key string) string {
	v, _ := e.attrs.Value(attribute.Key(key))
	return v.String()
}

// seen is what callers saw of a scope: requests and failures of each.
type seen [][2]uint64

func (s seen) evidence() signal.Evidence {
	e := signal.Evidence{Seconds: 10}
	for i, c := range s {
		e.Callers = append(e.Callers, signal.Caller{Hash: uint64(i + 1), Requests: c[0], Failures: c[1]})
		e.Requests += c[0]
		e.Failures += c[1]
	}
	return e
}

// says makes collectors say something of orders as a whole, or of a route.
func says(t *testing.T, source *signal.MemorySource, scopes ...signal.Scope) {
	t.Helper()
	if err := source.Put(&signal.Share{Service: "orders", Collector: "c1", Shards: 1, Scopes: scopes}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // the routers have heard
}

// admitted sends requests and returns how many reached an instance.
func admitted(t *testing.T, client *http.Client, n int, change ...func(*http.Request)) (through int, last *router.OpenError) {
	t.Helper()
	for range n {
		_, err := send(t, client, http.MethodGet, change...)
		if e, ok := errors.AsType[*router.OpenError](err); ok {
			last = e
			continue
		}
		through++
	}
	return through, last
}

func TestTheFleetsBreakerHoldsForARouterThatSentNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := listen(t)
		n := newNetwork()
		a := n.join("a")
		fleet := signal.Memory()
		r, client, reader := on(t, n, table(t, a.Instance), router.WithSignals(fleet))
		if err := r.Ready(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		says(t, fleet, signal.Scope{Evidence: seen{{10, 9}, {10, 8}, {10, 10}, {10, 0}}.evidence()})
		through, e := admitted(t, client, 20)
		if through != 0 || a.served.Load() != 0 {
			t.Fatalf("%d requests went through, %d came", through, a.served.Load())
		}
		if e.Service != "orders" || e.Route != "" || e.Rule != "fleet" || e.State != signal.Open || !errors.Is(e, router.ErrOpen) {
			t.Errorf("refused with %+v", e)
		}
		const why = `router: the breaker of "orders" is open: the service is open (fleet): 0 % of the requests go; ` +
			`27 of 40 requests failed, 3 of 4 callers saw it bad (thresholds: 50 % of 20 requests, 3 callers)`
		if e.Error() != why {
			t.Errorf("it says %s", e)
		}
		if got := counts(t, reader, semconv.RouteRefused, semconv.RouteService); got["orders"] != 20 {
			t.Errorf("counted as refused: %v", got)
		}
		if names := heard.names(); fmt.Sprint(names) != "[open]" {
			t.Errorf("told %v", names)
		}
		if open := heard.events()[0]; open.text(semconv.RouteCallers) != "4" || open.text(semconv.RouteBadCallers) != "3" ||
			open.text(semconv.RouteFigure+".requests") != "40" || open.text(semconv.RouteThreshold+".requests") != "20" ||
			open.text(semconv.RouteFigure+".failure_ratio") != "0.675" || open.text(semconv.RouteReason) != "fleet" {
			t.Errorf("told %v", open.attrs.ToSlice())
		}
	})
}

func TestOneCallerOfThreeOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		fleet := signal.Memory()
		_, client, _ := on(t, n, table(t, a.Instance), router.WithSignals(fleet))
		says(t, fleet, signal.Scope{Evidence: seen{{1000, 1000}, {10, 0}, {10, 0}}.evidence()})
		if through, e := admitted(t, client, 20); through != 20 {
			t.Errorf("%d of 20 went through: %v", through, e)
		}
	})
}

func TestAHalfOpenBreakerLetsAGrowingPartThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		fleet := signal.Memory()
		_, client, _ := on(t, n, table(t, a.Instance), router.WithSignals(fleet))
		says(t, fleet, signal.Scope{
			Latch:     signal.Latch{State: signal.Probation, Episode: 2, Hold: signal.Ramp},
			Condemned: seen{{10, 9}, {10, 8}, {10, 10}}.evidence(),
		})
		began := time.Now()
		last := 0
		for _, c := range []struct {
			at         time.Duration
			from, most int // of 1000
		}{{0, 20, 90}, {5 * time.Second, 160, 290}, {8 * time.Second, 450, 650}, {10 * time.Second, 1000, 1000}} {
			time.Sleep(time.Until(began.Add(c.at)))
			through, e := admitted(t, client, 1000)
			if through < c.from || through > c.most || through < last {
				t.Errorf("after %v %d of 1000 went through, %d before; want %d to %d: %v", c.at, through, last, c.from, c.most, e)
			}
			last = through
		}
	})
}

func TestTheProcessDecidesOnlyWhereTheFleetIsSilent(t *testing.T) {
	for name, c := range map[string]struct {
		fleet bool
		opens bool
	}{"signals are away": {false, true}, "the fleet finds it well": {true, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				a := n.join("a")
				a.status.Store(500)
				fleet := signal.Memory()
				_, client, _ := on(t, n, table(t, a.Instance), router.WithSignals(fleet))
				if c.fleet {
					says(t, fleet, signal.Scope{})
				}
				through, e := admitted(t, client, 100)
				if c.opens && (through != 20 || e.Rule != "local") || !c.opens && through != 100 {
					t.Errorf("%d went through: %v", through, e)
				}
			})
		})
	}
}

func TestOneRouteOfAServiceIsClosedToTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		fleet := signal.Memory()
		_, client, reader := on(t, n, table(t, a.Instance), router.WithSignals(fleet), router.WithRules(documentOf(t, `
routes: [{name: checkout, match: {path: {prefix: /checkout}}}]
`)))
		bad := seen{{10, 10}, {10, 10}, {10, 10}}
		says(t, fleet, signal.Scope{}, signal.Scope{Route: "checkout", Evidence: bad.evidence()})
		checkout := func(req *http.Request) { req.URL.Path = "/checkout/1" }
		if through, e := admitted(t, client, 10, checkout); through != 0 || e.Route != "checkout" {
			t.Errorf("%d went through: %v", through, e)
		}
		if through, _ := admitted(t, client, 10); through != 10 {
			t.Errorf("of the others %d went through", through)
		}
		if got := counts(t, reader, semconv.RouteRefused, semconv.RouteRoute); got["checkout"] != 10 {
			t.Errorf("counted %v", got)
		}
		says(t, fleet, signal.Scope{Evidence: bad.evidence()}, signal.Scope{Route: "checkout"})
		if through, e := admitted(t, client, 10, checkout); through != 0 || e.Route != "" {
			t.Errorf("the service is open, and of its route %d went through: %v", through, e)
		}
	})
}

func TestOperatorsForceABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := listen(t)
		n := newNetwork()
		a := n.join("a")
		fleet, forced := signal.Memory(), override.Memory()
		t.Cleanup(func() { forced.Close() })
		_, client, _ := on(t, n, table(t, a.Instance), router.WithSignals(fleet), router.WithOverrides(forced))
		force(t, forced, override.Override{Kind: override.Breaker, State: override.Open, For: 10 * time.Second, Reason: "a migration"})
		synctest.Wait()
		if through, e := admitted(t, client, 10); through != 0 || e.Rule != "forced" {
			t.Errorf("forced open, and %d went through: %v", through, e)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if through, e := admitted(t, client, 10); through != 10 {
			t.Errorf("expired, and only %d went through: %v", through, e)
		}
		says(t, fleet, signal.Scope{Evidence: seen{{10, 10}, {10, 10}, {10, 10}}.evidence()})
		force(t, forced, override.Override{Kind: override.Breaker, State: override.Closed})
		synctest.Wait()
		if through, e := admitted(t, client, 10); through != 10 {
			t.Errorf("forced closed against the fleet, and only %d went through: %v", through, e)
		}
		if names := heard.names(); strings.Join(names[:3], " ") != "open close open" && strings.Join(names[:3], " ") != "open close effect" {
			t.Errorf("told %v", names)
		}
	})
}

func TestABreakerThatObservesTellsAndDoesNothing(t *testing.T) {
	for mode, want := range map[string]string{"observe": "[would]", "off": "[]"} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heard := listen(t)
				n := newNetwork()
				a := n.join("a")
				fleet := signal.Memory()
				_, client, _ := on(t, n, table(t, a.Instance), router.WithSignals(fleet), router.WithRules(documentOf(t, "breaker: {mode: "+mode+"}")))
				if through, _ := admitted(t, client, 1); through != 1 {
					t.Fatal("refused")
				}
				says(t, fleet, signal.Scope{Evidence: seen{{10, 10}, {10, 10}, {10, 10}}.evidence()})
				if through, e := admitted(t, client, 10); through != 10 {
					t.Errorf("%d went through: %v", through, e)
				}
				time.Sleep(12 * time.Second)
				if got := fmt.Sprint(heard.names()); got != want {
					t.Errorf("told %s, want %s", got, want)
				}
				if mode == "observe" {
					if act := heard.events()[0].text(semconv.RouteAct); act != "otelplat.route.open" {
						t.Errorf("it would have: %q", act)
					}
				}
			})
		})
	}
}

func TestABreakersLifeIsToldWithItsEffects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := listen(t)
		n := newNetwork()
		a := n.join("a")
		a.status.Store(500)
		_, client, _ := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, "ejection: {mode: off}")))
		for range 20 {
			_, _ = send(t, client, http.MethodGet)
		}
		a.status.Store(0)
		for range 600 { // a minute
			_, _ = send(t, client, http.MethodGet)
			time.Sleep(100 * time.Millisecond)
		}
		want := []string{"open", "effect", "half_open", "close", "effect", "effect"}
		names := heard.names()
		if len(names) > 4 && names[3] == "effect" { // of half open, which a ramp of ten seconds outlasts by one
			names[3], names[4] = names[4], names[3]
		}
		if fmt.Sprint(names) != fmt.Sprint(want) {
			t.Fatalf("told %v, want %v", names, want)
		}
		effect := heard.events()[1]
		if effect.text(semconv.RouteAct) != semconv.EventRouteOpen || effect.text(semconv.RouteErrorsBefore) != "1" ||
			effect.text(semconv.RouteErrorsAfter) != "0" || effect.text(semconv.RouteRequestsBefore) != "20" || effect.text(semconv.RouteRequestsAfter) != "0" {
			t.Errorf("its effect: %v", effect.attrs.ToSlice())
		}
		if got := heard.events()[0].text(semconv.RouteReason); got != "local" {
			t.Errorf("by %q", got)
		}
	})
}

func TestTheThresholdsOfABreakerAreTheDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := listen(t)
		n := newNetwork()
		a := n.join("a")
		a.status.Store(500)
		documents := documentOf(t, "breaker: {requests: 5}\nejection: {mode: off}")
		_, client, _ := on(t, n, table(t, a.Instance), router.WithRules(documents))
		through, e := admitted(t, client, 50)
		time.Sleep(1100 * time.Millisecond) // it is told once a second
		if through != 5 || !strings.Contains(e.Why, "50 % of 5 requests") {
			t.Errorf("%d went through: %v", through, e)
		}
		if err := documents.Put("orders", []byte("breaker: {requests: 10}\nejection: {mode: off}")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if through, _ := admitted(t, client, 50); through != 10 {
			t.Errorf("with another threshold it begins anew: %d went through, want 10", through)
		}
		time.Sleep(1100 * time.Millisecond)
		if names := heard.names(); len(names) < 3 || strings.Join(names[:3], " ") != "open close open" {
			t.Errorf("told %v", names)
		}
	})
}

func TestARouteAndItsServiceComeBackAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		fleet := signal.Memory()
		_, client, _ := on(t, n, table(t, a.Instance), router.WithSignals(fleet), router.WithRules(documentOf(t, `
routes: [{name: all, match: {path: {prefix: /}}}]
`)))
		back := signal.Scope{
			Latch:     signal.Latch{State: signal.Probation, Episode: 1, Age: signal.Ramp / 2, Hold: signal.Ramp},
			Condemned: seen{{10, 9}, {10, 8}, {10, 10}}.evidence(),
		}
		route := back
		route.Route = "all"
		says(t, fleet, back, route)
		if through, e := admitted(t, client, 1000); through < 160 || through > 290 {
			t.Errorf("%d of 1000 went through, want what one of the two lets through, 224: %v", through, e)
		}
	})
}

func TestAnOperatorIsHeardWhateverTheSwitch(t *testing.T) {
	for _, mode := range []string{"observe", "off"} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heard := listen(t)
				n := newNetwork()
				a := n.join("a")
				forced := override.Memory()
				t.Cleanup(func() { forced.Close() })
				_, client, _ := on(t, n, table(t, a.Instance), router.WithOverrides(forced), router.WithRules(documentOf(t, "breaker: {mode: "+mode+"}")))
				if through, _ := admitted(t, client, 1); through != 1 {
					t.Fatal("refused")
				}
				force(t, forced, override.Override{Kind: override.Breaker, State: override.Open, For: time.Minute, Reason: "a migration"})
				synctest.Wait()
				if through, e := admitted(t, client, 10); through != 0 {
					t.Errorf("forced open, and %d went through: %v", through, e)
				}
				if got := fmt.Sprint(heard.names()); got != "[open]" {
					t.Errorf("told %s, want [open]", got)
				}
			})
		})
	}
}
