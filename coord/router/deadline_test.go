// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/router"
)

func TestDeadlines(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		caller   time.Duration // its own deadline
		takes    time.Duration // the first instance; the second answers at once
		after    time.Duration // when the caller hears
		timeouts uint64
		told     string // the instance
		ok       bool
	}{
		"none":                           {takes: 10 * time.Second, after: 10 * time.Second, ok: true},
		"the caller's":                   {caller: time.Second, takes: time.Minute, after: time.Second, timeouts: 1, told: "1000"},
		"the document's":                 {document: "timeout: 2s", takes: time.Minute, after: 2 * time.Second, timeouts: 1, told: "2000"},
		"the shorter of both":            {document: "timeout: 2s", caller: time.Second, takes: time.Minute, after: time.Second, timeouts: 1, told: "1000"},
		"of an attempt, not tried again": {document: "retry: {per_try_timeout: 100ms}", takes: time.Minute, after: 100 * time.Millisecond, timeouts: 1, told: "100"},
		"of an attempt, tried again": {document: "retry: {per_try_timeout: 100ms, on: [timeout]}", takes: time.Minute,
			after: 125 * time.Millisecond, timeouts: 1, told: "100", ok: true},
		"of an attempt, and of the caller, which ends first": {document: "retry: {per_try_timeout: 200ms, on: [timeout]}", takes: time.Minute,
			caller: 110 * time.Millisecond, after: 110 * time.Millisecond, timeouts: 1, told: "110"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				a, b := n.join("a"), n.join("b")
				_, client, reader := on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, "policy: {name: round_robin}\n"+c.document)))
				slow, _ := slowOne(t, client, a, b)
				slow.takes.Store(int64(c.takes))
				ctx := t.Context()
				if c.caller > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.caller)
					defer cancel()
				}
				began := time.Now()
				_, err := send(t, client, http.MethodGet, func(req *http.Request) { *req = *req.WithContext(ctx) })
				took := time.Since(began)
				if took > c.after || took < c.after-25*time.Millisecond || (err == nil) != c.ok {
					t.Errorf("heard after %v: %v", took, err)
				}
				if e, ok := errors.AsType[*url.Error](err); err != nil && (!ok || !e.Timeout()) {
					t.Errorf("%v is no timeout", err)
				}
				if got := counts(t, reader, "otelplat.route.duration", "otelplat.route.outcome")["timeout"]; got != c.timeouts {
					t.Errorf("%d timeouts recorded, want %d", got, c.timeouts)
				}
				if got := slow.last.Load().Header.Get("X-Envoy-Expected-Rq-Timeout-Ms"); got != c.told {
					t.Errorf("the instance was told of %q ms, want %q", got, c.told)
				}
			})
		})
	}
}

// slowOne makes the instance slow that gets the next request, and returns both.
func slowOne(t *testing.T, client *http.Client, a, b *peer) (slow, fast *peer) {
	t.Helper()
	id, err := send(t, client, http.MethodGet) // in turns: the other is next
	if err != nil {
		t.Fatal(err)
	}
	slow, fast = a, b
	if id == "a" {
		slow, fast = b, a
	}
	slow.takes.Store(int64(time.Minute))
	return slow, fast
}

func TestTheTimeLeftShrinksWithEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		a.takes.Store(int64(300 * time.Millisecond))
		a.status.Store(503)
		_, client, _ := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, "timeout: 1s")))
		_, _ = send(t, client, http.MethodGet)
		left, _ := strconv.Atoi(a.last.Load().Header.Get("X-Envoy-Expected-Rq-Timeout-Ms"))
		if left > 700 || left < 675 {
			t.Errorf("the second attempt was told of %d ms, want what is left of a second", left)
		}
	})
}

func TestADeadlineHoldsToTheEndOfTheBody(t *testing.T) {
	b := newBackend(t, "a")
	_, client, reader := newRouter(t, table(t, b.Instance), router.WithRules(documentOf(t, "timeout: 100ms")))
	resp, err := client.Get("http://orders/stall")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the body ended with %v", err)
	}
	if got := counts(t, reader, "otelplat.route.duration", "otelplat.route.outcome"); got["timeout"] != 1 || len(got) != 1 {
		t.Errorf("recorded %v", got)
	}
}

func TestTheCallersHeadersAreItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		_, client, _ := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, "timeout: 1s")))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("x-mine", "1")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(req.Header) != 1 || req.URL.Host != "orders" {
			t.Errorf("left with %v for %v", req.Header, req.URL)
		}
		if got := a.last.Load(); got.Header.Get("x-mine") != "1" || len(got.Header) != 3 || got.Host != "orders" {
			t.Errorf("the instance got %v for %s", got.Header, got.Host)
		}
	})
}

// A dialer's own time-out is no answer to a request: nothing was sent.
func TestWhoDoesNotAnswerTheDialerRefused(t *testing.T) {
	b := newBackend(t, "a")
	r, _, reader := newRouter(t, table(t, b.Instance), router.WithRules(documentOf(t, "retry: {min: 10}")))
	base := &http.Transport{DialContext: (&net.Dialer{Timeout: time.Nanosecond}).DialContext}
	client := &http.Client{Transport: r.Transport(base)}
	if _, err := send(t, client, http.MethodPost, withBody("an order")); err == nil {
		t.Fatal("answered")
	}
	if got := counts(t, reader, "otelplat.route.duration", "otelplat.route.outcome"); got["refused"] != 2 || len(got) != 1 {
		t.Errorf("recorded %v, want two attempts that were refused", got)
	}
}

// A connection that was there and broke may have carried the request: a POST is not sent
// again, whatever the error looks like.
func TestAPostThatMayHaveBeenSeenIsNotSentAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	came := make(chan struct{}, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			came <- struct{}{}
			c.Close()
		}
	}()
	in := newNetwork().join("a").Instance
	in.Endpoints[0].Address = l.Addr().String()
	_, client, reader := newRouter(t, table(t, in))
	if _, err := send(t, client, http.MethodPost, withBody("an order")); err == nil {
		t.Fatal("answered")
	}
	if got := counts(t, reader, "otelplat.route.duration", "otelplat.route.outcome"); got["error"] != 1 || len(came) != 1 {
		t.Errorf("recorded %v, came %d times", got, len(came))
	}
}
