// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/router"
)

const hedged = "hedge: {after: 0.9}\nretry: {on: [refused, unavailable]}\npolicy: {name: round_robin}"

// hedging returns two instances that answer within 10 ms, and a client that knows that. They
// get requests in turns; next is whose turn it is.
func hedging(t *testing.T, document string) (next, other *peer, r *router.Router, client *http.Client, reader measured) {
	t.Helper()
	n := newNetwork()
	a, b := n.join("a"), n.join("b")
	last := ""
	a.takes.Store(int64(10 * time.Millisecond))
	b.takes.Store(int64(10 * time.Millisecond))
	r, client, reader = on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, document)))
	for range 60 {
		id, err := send(t, client, http.MethodGet)
		if err != nil {
			t.Fatal(err)
		}
		last = id
	}
	time.Sleep(1100 * time.Millisecond) // fake: the quantiles are looked at once a second
	if last == "a" {
		return b, a, r, client, reader
	}
	return a, b, r, client, reader
}

func TestALateRequestIsSentToAnotherInstanceToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast, r, client, reader := hedging(t, hedged)
		slow.takes.Store(int64(time.Minute))
		before := counts(t, reader, "otelplat.route.duration", "otelplat.route.outcome")
		began := time.Now()
		got, err := send(t, client, http.MethodGet)
		took := time.Since(began)
		synctest.Wait()
		if err != nil || got != fast.ID || took < 19*time.Millisecond || took > 22*time.Millisecond {
			t.Errorf("%q answered after %v, %v; want %q after twice 10 ms", got, took, err, fast.ID)
		}
		if slow.cancelled.Load() != 1 {
			t.Errorf("the first attempt was given up %d times, want once", slow.cancelled.Load())
		}
		after := counts(t, reader, "otelplat.route.duration", "otelplat.route.outcome")
		if after["cancelled"]-before["cancelled"] != 1 || after["ok"]-before["ok"] != 1 || len(after) != 2 {
			t.Errorf("recorded %v and then %v: the loser says nothing of its instance", before, after)
		}
		if s := stats(t, r); s.Extra != 1 || s.Failures != 0 || s.Requests != 61 {
			t.Errorf("counted %+v", s)
		}
		if stateOf(t, r, "a").InFlight+stateOf(t, r, "b").InFlight != 0 || slow.open.Load()+fast.open.Load() != 0 {
			t.Error("something is still in flight")
		}
	})
}

func TestWhatIsNotHedged(t *testing.T) {
	for name, c := range map[string]struct {
		document, method string
		change           func(*http.Request)
	}{
		"a POST":                              {hedged, http.MethodPost, nil},
		"a PUT with a body":                   {hedged, http.MethodPut, withBody("an order")},
		"nothing where the section is absent": {"policy: {name: round_robin}", http.MethodGet, nil},
		"nothing where the budget is used up": {hedged + "\n", http.MethodGet, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				document := c.document
				if document == hedged+"\n" {
					document = "hedge: {after: 0.9}\nretry: {budget: 0, min: 0}\npolicy: {name: round_robin}"
				}
				slow, _, r, client, _ := hedging(t, document)
				slow.takes.Store(int64(time.Second))
				if c.change == nil {
					c.change = func(*http.Request) {}
				}
				if got, err := send(t, client, c.method, c.change); err != nil || got != slow.ID {
					t.Errorf("%q answered, %v; want the slow one", got, err)
				}
				if s := stats(t, r); s.Extra != 0 {
					t.Errorf("%d attempts beyond the first", s.Extra)
				}
			})
		})
	}
}

func TestNothingIsHedgedBeforeTwentyAnswersAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		a.takes.Store(int64(time.Second))
		b.takes.Store(int64(time.Second))
		r, client, _ := on(t, n, table(t, instances(a, b)...), router.WithRules(documentOf(t, hedged)))
		for range 5 {
			_, _ = send(t, client, http.MethodGet)
		}
		if s := stats(t, r); s.Extra != 0 {
			t.Errorf("%d hedges", s.Extra)
		}
	})
}

func TestAHedgeGoesToAnotherInstanceOrNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := n.join("a")
		a.takes.Store(int64(10 * time.Millisecond))
		r, client, _ := on(t, n, table(t, a.Instance), router.WithRules(documentOf(t, hedged)))
		for range 40 {
			_, _ = send(t, client, http.MethodGet)
		}
		time.Sleep(1100 * time.Millisecond)
		a.takes.Store(int64(time.Second))
		if got, err := send(t, client, http.MethodGet); err != nil || got != "a" {
			t.Errorf("%q, %v", got, err)
		}
		if s := stats(t, r); s.Extra != 0 || a.served.Load() != 41 || a.cancelled.Load() != 0 {
			t.Errorf("%d beyond the first, served %d, gave up %d", s.Extra, a.served.Load(), a.cancelled.Load())
		}
	})
}

func TestAFirstAttemptThatFailsBesideAHedgeWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast, _, client, _ := hedging(t, hedged)
		slow.takes.Store(int64(15 * time.Millisecond)) // fails 5 ms into the hedge
		slow.status.Store(503)
		if got, err := send(t, client, http.MethodGet); err != nil || got != fast.ID {
			t.Errorf("got %q, %v; want what the hedge brought", got, err)
		}
		synctest.Wait()
		if slow.open.Load()+fast.open.Load() != 0 {
			t.Error("the failed answer's body was not closed")
		}
	})
}

func TestWhereAllAttemptsFailTheCallerGetsOneOfTheirAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, r, client, _ := hedging(t, hedged+"\nbreaker: {mode: off}")
		for _, p := range []*peer{a, b} {
			p.takes.Store(int64(15 * time.Millisecond))
			p.status.Store(503)
		}
		if _, err := send(t, client, http.MethodGet); err == nil || err.Error() != "503 Service Unavailable" {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if a.open.Load()+b.open.Load() != 0 {
			t.Error("a body was not closed")
		}
		if s := stats(t, r); s.Extra != 2 || s.Failures != 3 {
			t.Errorf("counted %+v: want the hedge and one retry", s)
		}
	})
}

func TestTheWinnersBodyIsReadAfterTheOthersAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast, r, client, _ := hedging(t, hedged+"\ntimeout: 10m")
		slow.takes.Store(int64(time.Minute))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		// Whoever has an answer may change what it asked with.
		req.Header.Set("x-next", "1")
		req.URL.Path = "/next"
		time.Sleep(time.Second)
		if slow.cancelled.Load() != 1 || stateOf(t, r, fast.ID).InFlight != 1 {
			t.Error("the loser is still under way, or the winner is not")
		}
		if resp.Request != req {
			t.Error("the answer is to another request")
		}
		if err := fast.last.Load().Context().Err(); err != nil {
			t.Errorf("the winner's context ended before its body: %v", err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != fast.ID {
			t.Errorf("read %q, %v", body, err)
		}
		resp.Body.Close()
		if err := fast.last.Load().Context().Err(); err != context.Canceled {
			t.Errorf("its context is held beyond its body: %v", err)
		}
	})
}

func TestACallerThatGivesUpEndsAllAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, r, client, _ := hedging(t, hedged)
		a.takes.Store(int64(time.Minute))
		b.takes.Store(int64(time.Minute))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := send(t, client, http.MethodGet, func(req *http.Request) { *req = *req.WithContext(ctx) }); err == nil {
			t.Error("answered")
		}
		synctest.Wait()
		if a.cancelled.Load()+b.cancelled.Load() != 2 || stateOf(t, r, "a").InFlight+stateOf(t, r, "b").InFlight != 0 {
			t.Errorf("given up at a %d, at b %d", a.cancelled.Load(), b.cancelled.Load())
		}
	})
}
