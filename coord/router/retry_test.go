// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/override"
)

func TestWhatIsSentAgain(t *testing.T) {
	const retries = "retry: {attempts: 2, on: [refused, unavailable]}"
	for name, c := range map[string]struct {
		document string
		method   string
		status   int
		away     bool
		class    string
		change   func(*http.Request)
		again    bool
	}{
		"a GET that was answered with 503":                    {method: "GET", status: 503, again: true},
		"a PUT, with its body":                                {method: "PUT", status: 503, change: withBody("an order"), again: true},
		"a PUT whose body is gone":                            {method: "PUT", status: 503, change: once},
		"a POST is not":                                       {method: "POST", status: 503, change: withBody("an order")},
		"a POST that was refused":                             {method: "POST", away: true, change: withBody("an order"), again: true},
		"a POST that was refused, and whose body is gone":     {method: "POST", away: true, change: once},
		"a POST whose method the document lets be repeated":   {document: "retry: {methods: [POST]}", method: "POST", status: 503, again: true},
		"a 500 is not":                                        {method: "GET", status: 500},
		"a 500, by the cause that covers all failures":        {document: "retry: {on: [failure]}", method: "GET", status: 500, again: true},
		"a 503, by the cause that covers all failures":        {document: "retry: {on: [failure]}", method: "GET", status: 503, again: true},
		"a refused one is not where only others are":          {document: "retry: {on: [unavailable]}", method: "GET", away: true},
		"a class that the document names":                     {document: classes("overloaded"), method: "GET", status: 200, class: "overloaded", again: true},
		"a class that it names, and does not retry":           {document: classes("failure"), method: "GET", status: 200, class: "broken", again: true},
		"a 503 of a class that is no reason, for it is a 503": {document: classes("unavailable"), method: "GET", status: 503, class: "broken", again: true},
		"another class is not":                                {document: classes("overloaded"), method: "GET", status: 200, class: "fine"},
		"nothing where one attempt is all":                    {document: "retry: {attempts: 1}", method: "GET", status: 503},
		"nothing without an answer that counts as a failure":  {document: "failure: {http: [500]}", method: "GET", status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				a, b := n.join("a"), n.join("b")
				for _, p := range []*peer{a, b} {
					p.status.Store(int64(c.status))
					p.away.Store(c.away)
					p.class.Store(c.class)
				}
				document, change := c.document, c.change
				if document == "" {
					document = retries
				}
				if change == nil {
					change = func(*http.Request) {}
				}
				r, client, reader := on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, document)))
				_, _ = send(t, client, c.method, change)
				want := uint64(1)
				if c.again {
					want = 2
				}
				if got := attempts(t, reader); got != want {
					t.Errorf("%d attempts, want %d", got, want)
				}
				if !c.away && c.again && (a.served.Load() != 1 || b.served.Load() != 1) {
					t.Errorf("a served %d, b %d: want another instance the second time", a.served.Load(), b.served.Load())
				}
				if c.again && !c.away && c.method == "PUT" && (a.body.Load() != "an order" || b.body.Load() != "an order") {
					t.Errorf("the bodies were %q and %q", a.body.Load(), b.body.Load())
				}
				if got := stats(t, r); got.Extra != want-1 || got.Requests != 1 {
					t.Errorf("counted %d requests and %d more", got.Requests, got.Extra)
				}
				if left := a.open.Load() + b.open.Load(); left != 0 {
					t.Errorf("%d bodies were never closed", left)
				}
			})
		})
	}
}

// once gives a request a body that cannot be sent again.
func once(req *http.Request) {
	withBody("an order")(req)
	req.GetBody = nil
}

func classes(on string) string {
	return "failure: {header: x-error-class, classes: [overloaded, broken]}\nretry: {on: [" + on + "]}"
}

// attempts are those that were recorded.
func attempts(t *testing.T, reader measured) (n uint64) {
	t.Helper()
	for _, c := range counts(t, reader, "otelplat.route.duration", "otelplat.route.service") {
		n += c
	}
	return n
}

func TestARetryWaitsALittleAndWhatWasRefusedDoesNot(t *testing.T) {
	for _, c := range []struct {
		name     string
		attempts int
		away     bool
		most     time.Duration
	}{
		{"the second attempt", 2, false, 25 * time.Millisecond},
		{"five attempts", 5, false, (25 + 50 + 100 + 200) * time.Millisecond},
		{"refused", 5, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			longest := time.Duration(0)
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork()
					a := n.join("a")
					a.status.Store(503)
					a.away.Store(c.away)
					_, client, _ := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, fmt.Sprintf("retry: {attempts: %d, min: 10}", c.attempts))))
					began := time.Now()
					_, _ = send(t, client, http.MethodGet)
					longest = max(longest, time.Since(began))
				})
			}
			if longest > c.most || longest < c.most/4 {
				t.Errorf("took at most %v, want about %v and no more", longest, c.most)
			}
		})
	}
}

func TestRetriesAreAFifthOfTheRequestsAndThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		a.status.Store(503)
		b.status.Store(503)
		r, client, _ := on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, "breaker: {mode: off}")))
		for range 100 {
			_, _ = send(t, client, http.MethodGet)
		}
		if got := stats(t, r); got.Requests != 100 || got.Extra != 23 || served(a, b) != 123 {
			t.Errorf("of %d requests %d were repeated, want 23 of 100", got.Requests, got.Extra)
		}
		time.Sleep(12 * time.Second) // fake: the budget is of ten seconds
		_, _ = send(t, client, http.MethodGet)
		if got := stats(t, r); got.Extra != 1 {
			t.Errorf("twelve seconds later %d were repeated, want 1", got.Extra)
		}
	})
}

func TestManyThatFailAtOnceShareOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		a.status.Store(503)
		a.takes.Store(int64(time.Second))
		r, client, _ := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, "breaker: {mode: off}\nretry: {budget: 0.1, min: 0}")))
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() { _, _ = send(t, client, http.MethodGet) })
		}
		callers.Wait()
		if got := stats(t, r); got.Extra > 20 {
			t.Errorf("%d of 200 were repeated, want at most 20", got.Extra)
		}
	})
}

func TestNothingIsRepeatedWhileTheBreakerIsNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		a.status.Store(503)
		r, client, reader := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, "ejection: {mode: off}\nretry: {min: 100}")))
		for range 9 {
			_, _ = send(t, client, http.MethodGet) // two attempts each
		}
		before := attempts(t, reader)
		_, _ = send(t, client, http.MethodGet) // the first makes 19 failures, the second 20
		if got := attempts(t, reader) - before; before != 18 || got != 2 {
			t.Fatalf("%d attempts, and then %d", before, got)
		}
		if _, err := send(t, client, http.MethodGet); !errors.Is(err, router.ErrOpen) {
			t.Fatalf("the breaker is not open: %v", err)
		}
		time.Sleep(36*time.Second + 3*time.Second) // fake: half open, for three to nine of its ten seconds
		came := a.served.Load()
		extra := stats(t, r).Extra
		for a.served.Load() < came+3 {
			_, _ = send(t, client, http.MethodGet)
		}
		if got := stats(t, r); got.Extra != extra {
			t.Errorf("%d requests were repeated while it was half open", got.Extra-extra)
		}
	})
}

func TestARetryDoesNotOutliveItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		a.status.Store(503)
		_, client, reader := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, "retry: {attempts: 5, min: 100}")))
		ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
		defer cancel()
		began := time.Now()
		_, err := send(t, client, http.MethodGet, func(req *http.Request) { *req = *req.WithContext(ctx) })
		if err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("got %v, want the answer of the only attempt", err)
		}
		if got := attempts(t, reader); got != 1 || time.Since(began) > 0 {
			t.Errorf("%d attempts in %v; the pause would end after the deadline", got, time.Since(began))
		}
	})
}

func TestACallerThatGivesUpInThePauseTakesNothingFromTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		a.status.Store(503)
		r, client, _ := on(t, n, table(t, a.Instance))
		ctx, cancel := context.WithCancel(t.Context())
		n.peers["a.test:80"].answers = func(*http.Response) { cancel() }
		_, _ = send(t, client, http.MethodGet, func(req *http.Request) { *req = *req.WithContext(ctx) })
		if got := stats(t, r); got.Extra != 0 || a.served.Load() != 1 {
			t.Errorf("repeated %d, served %d", got.Extra, a.served.Load())
		}
	})
}

func TestTheBodyOfARequestThatIsNotSentIsClosedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		forced := override.Memory()
		_, client, _ := on(t, n, table(t), router.WithOverrides(forced))
		for name, before := range map[string]func(){
			"no instance":     func() {},
			"an open breaker": func() { force(t, forced, override.Override{Kind: override.Breaker, State: override.Open}) },
		} {
			before()
			body := &countedBody{Reader: strings.NewReader("an order")}
			_, err := send(t, client, http.MethodPost, func(req *http.Request) { req.Body = body })
			if err == nil || body.closed != 1 {
				t.Errorf("%s: closed %d times, %v", name, body.closed, err)
			}
		}
	})
}

type countedBody struct {
	io.Reader
	closed int
}

func (b *countedBody) Close() error {
	b.closed++
	return nil
}

func TestABodyThatCannotBeMadeAgainIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		a.status.Store(503)
		b.status.Store(503)
		r, client, reader := on(t, n, table(t, instances(a, b)...))
		gone := errors.New("the file is gone")
		_, err := send(t, client, http.MethodPut, withBody("an order"), func(req *http.Request) {
			req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
		})
		if !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
		if got := counts(t, reader, "otelplat.route.duration", "otelplat.route.outcome"); got["cancelled"] != 1 {
			t.Errorf("recorded %v: the instance has no part in it", got)
		}
		for _, id := range []string{"a", "b"} {
			if c := stateOf(t, r, id); c.InFlight != 0 {
				t.Errorf("%d in flight at %s", c.InFlight, id)
			}
		}
	})
}
