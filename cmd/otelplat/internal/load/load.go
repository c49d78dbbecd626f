// SPDX-License-Identifier: Apache-2.0

// Package load drives the shop at a steady rate on behalf of its customers: an
// open loop, so that a shop which gets slower does not get fewer requests.
package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
)

const (
	// maxInFlight bounds what is waited for at once; what comes when so many are
	// there is skipped and counted.
	maxInFlight = 500

	timeout = 5 * time.Second

	// card is the test number of the card schemes: it shows that telemetry is
	// redacted.
	card = "4111 1111 1111 1111"
)

// Options say what is driven.
type Options struct {
	Rate   int // requests a second
	Shop   string
	Client *http.Client
	Tokens map[string]func() string // by customer
	Report func(datadir.Load)       // called once a second, and at the end
}

// generator counts.
type generator struct {
	Options
	slots chan struct{}
	wg    sync.WaitGroup

	mu     sync.Mutex
	counts datadir.Load
	orders map[string]string // a recent order of each customer
}

// Run drives the shop until the context ends, and waits for what is on its way.
func Run(ctx context.Context, o Options) {
	g := &generator{Options: o, slots: make(chan struct{}, maxInFlight), orders: make(map[string]string)}
	g.counts.Reasons = make(map[string]int)
	tick := time.NewTicker(time.Second / time.Duration(max(o.Rate, 1)))
	defer tick.Stop()
	report := time.NewTicker(time.Second)
	defer report.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			g.wg.Wait()
			g.report()
			return
		case <-report.C:
			g.report()
		case <-tick.C:
			g.begin(ctx, n)
			n++
		}
	}
}

func (g *generator) report() {
	g.mu.Lock()
	c := g.counts
	c.Reasons = make(map[string]int, len(g.counts.Reasons))
	for reason, n := range g.counts.Reasons {
		c.Reasons[reason] = n
	}
	g.mu.Unlock()
	g.Report(c)
}

// begin sends the n-th request.
func (g *generator) begin(ctx context.Context, n int) {
	select {
	case g.slots <- struct{}{}:
	default:
		g.mu.Lock()
		g.counts.Skipped++
		g.mu.Unlock()
		return
	}
	g.wg.Go(func() {
		defer func() { <-g.slots }()
		// A request that has begun is finished: its end says nothing of the shop.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		who, other := "alice", "bob"
		if n%2 == 1 {
			who, other = other, who
		}
		var err error
		switch {
		case n%50 == 17: // what the policy must refuse
			err = g.cancel(ctx, who, g.order(other), http.StatusForbidden)
		case n%10 == 5:
			err = g.cancel(ctx, who, g.order(who), http.StatusOK)
		case n%50 == 3:
			err = g.send(ctx, who, http.MethodGet, "/healthz", "", http.StatusOK, nil)
		default:
			err = g.place(ctx, who)
		}
		g.count(err)
	})
}

func (g *generator) order(of string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.orders[of]
}

func (g *generator) place(ctx context.Context, who string) error {
	var order struct {
		ID string `json:"id"`
	}
	body := fmt.Sprintf(`{"item": "book", "quantity": 1, "card": %q}`, card)
	if err := g.send(ctx, who, http.MethodPost, "/orders", body, http.StatusOK, &order); err != nil {
		return err
	}
	g.mu.Lock()
	g.orders[who] = order.ID
	g.mu.Unlock()
	return nil
}

func (g *generator) cancel(ctx context.Context, who, order string, want int) error {
	if order == "" {
		return g.place(ctx, who) // nobody has an order yet
	}
	return g.send(ctx, who, http.MethodPost, "/orders/"+order+"/cancel", "", want, nil)
}

// errDenied is no failure: the demo asks for it.
var errDenied = errors.New("denied")

func (g *generator) send(ctx context.Context, who, method, path, body string, want int, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, g.Shop+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.Tokens[who]())
	resp, err := g.Client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read below
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusForbidden && want == http.StatusForbidden:
		return errDenied
	case resp.StatusCode == http.StatusNotFound && strings.HasSuffix(path, "/cancel"):
		return nil // orders were restarted, and have forgotten
	case resp.StatusCode != want:
		return fmt.Errorf("%s %s: %d %s", method, strings.SplitN(path, "/", 3)[1], resp.StatusCode, strings.TrimSpace(string(answer)))
	case into != nil:
		return json.Unmarshal(answer, into)
	}
	return nil
}

// maxReasons bounds the texts that are kept.
const maxReasons = 20

func (g *generator) count(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts.Requests++
	switch {
	case err == nil:
	case errors.Is(err, errDenied):
		g.counts.Denied++
	default:
		g.counts.Failed++
		reason := err.Error()
		reason = reason[:min(len(reason), 200)]
		if _, known := g.counts.Reasons[reason]; known || len(g.counts.Reasons) < maxReasons {
			g.counts.Reasons[reason]++
		}
	}
}
