// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/otelplat/semconv"
)

func TestRequestsReachAllInstancesUnderTheServicesName(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	_, client, reader := newRouter(t, table(t, a.Instance, b.Instance))
	var callers sync.WaitGroup
	for range 10 { // what one has in flight the next request goes to the other
		callers.Go(func() {
			for range 10 {
				if _, err := get(t, client, "/"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if a.served.Load() < 10 || b.served.Load() < 10 {
		t.Errorf("a served %d, b %d of 100", a.served.Load(), b.served.Load())
	}
	if host, err := get(t, client, "/host"); err != nil || host != "orders" {
		t.Errorf("the instance saw Host %q, %v", host, err)
	}
	for key, want := range map[string]string{semconv.RouteService: "orders", semconv.RouteOutcome: "ok", semconv.RouteVariant: "blue", semconv.RouteZone: "z1"} {
		if got := counts(t, reader, semconv.RouteDuration, key); got[want] != 101 || len(got) != 1 {
			t.Errorf("recorded by %s: %v, want 101 of %q", key, got, want)
		}
	}
}

func TestAFailingInstanceIsLeftOutAndComesBack(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	r, client, reader := newRouter(t, table(t, a.Instance, b.Instance))
	a.status.Store(http.StatusInternalServerError)
	coordtest.Eventually(t, patience, func() bool {
		_, _ = get(t, client, "/")
		return stateOf(t, r, "a").State == router.Ejected
	}, "a is ejected")
	if got := counts(t, reader, semconv.RouteEjections, semconv.RouteReason); got["consecutive_failures"] != 1 {
		t.Errorf("ejections %v", got)
	}
	if c := stateOf(t, r, "a"); c.Weight != 0 || c.Episode != 1 || c.Reason != "consecutive_failures" || c.Hold <= 0 {
		t.Errorf("explained as %+v", c)
	}
	failed := counts(t, reader, semconv.RouteDuration, semconv.RouteOutcome)["error"]
	if failed != 5 {
		t.Errorf("%d requests failed before it was ejected, want 5", failed)
	}
	a.status.Store(0)
	coordtest.Eventually(t, patience, func() bool {
		_, err := get(t, client, "/")
		return err == nil && stateOf(t, r, "a").State == router.Ramping
	}, "a is back")
}

func TestHowAnAttemptEnds(t *testing.T) {
	gone := newBackend(t, "a")
	gone.server.Close()
	for name, c := range map[string]struct {
		path    string
		status  int
		timeout time.Duration
		cancel  time.Duration
		gone    bool
		outcome string
	}{
		"a response":                      {path: "/", outcome: "ok"},
		"the caller's error":              {path: "/", status: http.StatusNotFound, outcome: "ok"},
		"too many requests":               {path: "/", status: http.StatusTooManyRequests, outcome: "ok"},
		"a server error":                  {path: "/", status: http.StatusServiceUnavailable, outcome: "error"},
		"no response in time":             {path: "/wait", timeout: 50 * time.Millisecond, outcome: "timeout"},
		"half a response in time":         {path: "/stall", timeout: 50 * time.Millisecond, outcome: "timeout"},
		"given up":                        {path: "/wait", cancel: 50 * time.Millisecond, outcome: "cancelled"},
		"given up in the response's body": {path: "/stall", cancel: 50 * time.Millisecond, outcome: "cancelled"},
		"nobody listens":                  {path: "/", gone: true, outcome: "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			b := gone
			if !c.gone {
				b = newBackend(t, "a")
			}
			b.status.Store(int64(c.status))
			r, client, reader := newRouter(t, table(t, b.Instance), router.WithRules(documentOf(t, "retry: {attempts: 1}")))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.timeout > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.timeout)
				defer cancel()
			}
			if c.cancel > 0 {
				time.AfterFunc(c.cancel, cancel)
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://orders"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err == nil {
				if stateOf(t, r, "a").InFlight != 1 {
					t.Error("it is not in flight until its body ends")
				}
				buf := make([]byte, 100)
				for err == nil {
					_, err = resp.Body.Read(buf)
				}
				resp.Body.Close()
			}
			if got := counts(t, reader, semconv.RouteDuration, semconv.RouteOutcome); got[c.outcome] != 1 || len(got) != 1 {
				t.Errorf("recorded %v, want one %q", got, c.outcome)
			}
			if n := stateOf(t, r, "a").InFlight; n != 0 {
				t.Errorf("%d in flight in the end", n)
			}
		})
	}
}

func TestWhyNobodyCanTakeARequest(t *testing.T) {
	draining := newBackend(t, "a").Instance
	draining.Status = discovery.Draining
	other := newBackend(t, "b").Instance
	other.Endpoints = []discovery.Endpoint{{Protocol: discovery.GRPC, Address: "127.0.0.1:1"}}
	_, client, _ := newRouter(t, table(t, draining, other))
	_, err := get(t, client, "/")
	e, ok := errors.AsType[*router.NoInstancesError](err)
	if !ok || !errors.Is(err, router.ErrNoInstances) {
		t.Fatalf("got %v", err)
	}
	if e.Service != "orders" || e.Known != 2 || e.NotInService != 1 || e.NoEndpoint != 1 || e.Out != 0 {
		t.Errorf("got %+v", e)
	}
	const want = `router: no instance of "orders" can take the request: 2 known, 1 not in service, 1 without an endpoint for http`
	if e.Error() != want {
		t.Errorf("it says %q, want %q", e, want)
	}
}

func TestAClosedRouterRefuses(t *testing.T) {
	r, client, _ := newRouter(t, table(t, newBackend(t, "a").Instance))
	if _, err := get(t, client, "/"); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.Close()
	if _, err := get(t, client, "/"); !errors.Is(err, router.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := r.Ready(t.Context(), "orders"); !errors.Is(err, router.ErrClosed) {
		t.Errorf("Ready: %v", err)
	}
}

func TestMembersFollowTheDirectory(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	d := table(t, a.Instance)
	r, client, _ := newRouter(t, d)
	if got, err := get(t, client, "/"); err != nil || got != "a" {
		t.Fatal(got, err)
	}
	if err := d.Set(b.Instance); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return stateOf(t, r, "b").State == router.Active }, "b is known")
	coordtest.Eventually(t, patience, func() bool {
		got, err := get(t, client, "/")
		return err == nil && got == "b"
	}, "b gets a request")
}

// What lasts for as long as the caller wants says nothing of an instance's speed.
func TestAnEventStreamTellsNothingOfSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, answers := range map[string]func(*http.Response){
			"a stream of events":  func(resp *http.Response) { resp.Header.Set("Content-Type", "text/event-stream") },
			"an ordinary answer":  nil,
			"an answer, no body":  func(resp *http.Response) { resp.Body = http.NoBody },
			"a switched protocol": func(resp *http.Response) { resp.StatusCode, resp.Status = 101, "101 Switching Protocols" },
		} {
			n := newNetwork()
			a := n.join("a")
			a.takes.Store(int64(50 * time.Millisecond))
			a.answers = answers
			r, client, reader := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, "timeout: 10s")))
			_, _ = send(t, client, http.MethodGet)
			if got := stateOf(t, r, "a"); got.Latency == 0 != (name == "a stream of events") || got.InFlight != 0 {
				t.Errorf("%s: latency %v, in flight %d", name, got.Latency, got.InFlight)
			}
			if got := counts(t, reader, semconv.RouteDuration, semconv.RouteOutcome); got["ok"] != 1 {
				t.Errorf("%s: recorded %v", name, got)
			}
			if err := a.last.Load().Context().Err(); err == nil {
				t.Errorf("%s: its context is held for ever", name)
			}
		}
	})
}

func TestARequestInFlightOutlivesItsRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		a.takes.Store(int64(time.Second))
		r, client, _ := on(t, n, table(t, a.Instance))
		answered := make(chan error, 1)
		go func() {
			_, err := send(t, client, http.MethodGet)
			answered <- err
		}()
		time.Sleep(100 * time.Millisecond)
		r.Close()
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}
