// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/examples/shop/shoppb"
	"github.com/otelplat/platform/internal/loadreport"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// TestTheShopInTrouble does to the instances of one service of the shop, under its steady load,
// what happens to instances, and counts the customers whose requests failed. The shop has
// three instances of the inventory, one caller of them, and no documents: all is by the
// router's defaults, but for an ejection base of 2 s.
func TestTheShopInTrouble(t *testing.T) {
	p := up(t, t.TempDir(), "--ejection-base", "2s")
	p.noVerdict(t)
	for _, trouble := range []struct {
		name   string
		within float64 // part of the requests that may fail
		happen func(*testing.T, *running)
	}{
		{"an instance is killed", 0.05, killed},
		{"an instance hangs", 0.10, hung},
		{"an instance is slow", 0.01, slowed},
		{"an instance fails", 0.05, fails},
		{"an instance fails three of ten requests", 0.05, failsSome},
		{"an instance flaps", 0.05, flaps},
		{"etcd is away, and an instance hangs", 0.10, func(t *testing.T, p *running) { without(t, p, "etcd", hung) }},
		{"the collector is away, and an instance hangs", 0.10, func(t *testing.T, p *running) { without(t, p, "collector", hung) }},
		{"a server lies that it has no load", 0.05, serverLies},
		{"a caller lies that an instance fails", 0, callerLies},
		{"all instances fail", 1, allFail},
	} {
		t.Run(trouble.name, func(t *testing.T) {
			outer := p.t
			defer func() { p.t = outer }()
			p.t = t
			before := p.load()
			trouble.happen(t, p)
			now := p.load().Requests
			p.eventually(30*time.Second, "what was on its way is counted", func() bool { return p.load().Requests > now+150 })
			after := p.load()
			requests, failed := after.Requests-before.Requests, after.Failed-before.Failed
			share := float64(failed) / float64(requests)
			t.Logf("docs/failure.md: %s: %d of %d requests failed (%.2f %%)", trouble.name, failed, requests, 100*share)
			if share > trouble.within {
				t.Errorf("want at most %.0f %%: %v", 100*trouble.within, after.Reasons)
			}
		})
	}
}

// last is how long a trouble lasts.
func last(t *testing.T) {
	t.Helper()
	d := 5 * time.Second
	if full() {
		d = 30 * time.Second
	}
	wait(t, d)
}

// wait lets time pass in which the load goes on.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// noVerdict waits until the fleet has nothing against any instance. How the traffic is spread
// among them it does not ask.
func (p *running) noVerdict(t *testing.T) {
	t.Helper()
	p.eventually(120*time.Second, "the fleet has nothing against any instance", func() bool {
		rows := p.signals("inventory")
		for _, r := range rows {
			if r.State != "good" {
				return false
			}
		}
		return len(rows) == 3
	})
}

// tell sends a signal to a child of up.
func (p *running) tell(t *testing.T, child string, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.pids()[child], s); err != nil {
		t.Fatalf("%v to %s: %v", s, child, err)
	}
}

// killed: up starts it again after a moment.
func killed(t *testing.T, p *running) {
	was := p.pids()["inventory-1"]
	p.tell(t, "inventory-1", syscall.SIGKILL)
	p.eventually(30*time.Second, "it is started again", func() bool { return p.pids()["inventory-1"] != was })
}

// hung: it takes connections and requests, and answers none.
func hung(t *testing.T, p *running) {
	p.tell(t, "inventory-2", syscall.SIGSTOP)
	defer p.tell(t, "inventory-2", syscall.SIGCONT)
	last(t)
}

func slowed(t *testing.T, p *running) {
	p.must("demo", "slow", "inventory-3", "--delay", "500ms")
	defer p.must("demo", "heal", "inventory-3")
	last(t)
}

func fails(t *testing.T, p *running) {
	p.must("demo", "fail", "inventory-1")
	defer p.must("demo", "heal", "inventory-1")
	last(t)
}

func failsSome(t *testing.T, p *running) {
	p.must("demo", "fail", "inventory-3", "--ratio", "0.3")
	defer p.must("demo", "heal", "inventory-3")
	last(t)
}

// flaps: what is well again too soon stays out for longer each time.
func flaps(t *testing.T, p *running) {
	for range 3 {
		p.must("demo", "fail", "inventory-2")
		wait(t, 1500*time.Millisecond)
		p.must("demo", "heal", "inventory-2")
		wait(t, 1500*time.Millisecond)
	}
}

// without has a trouble while a part of the platform is away.
func without(t *testing.T, p *running, part string, trouble func(*testing.T, *running)) {
	was := p.pids()[part]
	p.must("demo", "outage", part, "--for", "8s")
	p.eventually(20*time.Second, part+" is stopped", func() bool { return !alive(was) })
	trouble(t, p)
	p.eventually(60*time.Second, part+" is back", func() bool { return p.pids()[part] != was })
	p.eventually(60*time.Second, "commands work again", func() bool { _, err := p.run("services"); return err == nil })
}

// liar is an instance of the inventory that does one order at a time, slowly, and says that it
// has nothing to do. It exports nothing, so that there is only its word.
type liar struct {
	shoppb.UnimplementedInventoryServer
	one sync.Mutex

	mu     sync.Mutex
	served int
}

func (l *liar) Report() loadreport.Report {
	return loadreport.Report{AtArrival: -1, Latency: 100 * time.Microsecond, CPUUtilization: 0.001, RPS: 1000}
}

func (l *liar) Reserve(ctx context.Context, _ *shoppb.ReserveRequest) (*shoppb.ReserveResponse, error) {
	report := l.Report()
	report.AtArrival = 0
	_ = grpc.SetTrailer(ctx, metadata.MD{loadreport.Trailer: {string(report.AppendProto(nil))}}) // a call's own
	l.mu.Lock()
	l.served++
	l.mu.Unlock()
	l.one.Lock()
	defer l.one.Unlock()
	select {
	case <-time.After(200 * time.Millisecond):
		return &shoppb.ReserveResponse{Instance: "inventory-liar"}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func serverLies(t *testing.T, p *running) {
	p.environment(t)
	client, err := coord.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, server := &liar{}, grpc.NewServer()
	shoppb.RegisterInventoryServer(server, l)
	loadreport.Register(server, l)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	registration, err := discovery.Etcd(client).Register(t.Context(), discovery.Instance{Service: "inventory", ID: "inventory-liar",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Address: listener.Addr().String()}}})
	if err != nil {
		t.Fatal(err)
	}
	began := p.load().Requests
	last(t)
	last(t)
	requests := p.load().Requests - began
	if err := registration.Close(t.Context()); err != nil {
		t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("it got %d of about %d requests (a quarter would be its share)", l.served, requests)
	if l.served == 0 {
		t.Error("it was never asked: the test shows nothing")
	}
}

// callerLies: a hostile principal claims thousands of failures a second, of an instance that
// one honest caller finds well.
func callerLies(t *testing.T, p *running) {
	p.environment(t)
	p.noVerdict(t)
	c, err := newCaller(t.Context(), "mallory", p.tokenFor(t, "mallory"), true, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range 24 {
		lie(t, c.telemetry, "inventory-1", 1000)
		wait(t, 250*time.Millisecond)
		if r := p.signals("inventory")["inventory-1"]; r.State != "good" {
			t.Fatalf("one voice of two condemned it: %+v", r)
		}
	}
	if c.out(t, "inventory-1") {
		t.Error("a router has it out of rotation")
	}
}

// allFail: the breaker opens, so that customers hear at once that it will not be; and closes
// when the service is well.
func allFail(t *testing.T, p *running) {
	p.noVerdict(t)
	token := strings.TrimSpace(p.must("token", "alice"))
	order := func() (int, string, time.Duration) {
		began := time.Now()
		code, body := p.requestWith(token, "POST", "/orders", `{"item": "book", "quantity": 1}`)
		return code, body, time.Since(began)
	}
	instances := []string{"inventory-1", "inventory-2", "inventory-3"}
	began := time.Now()
	for _, instance := range instances {
		p.must("demo", "fail", instance)
	}
	said := ""
	p.eventually(30*time.Second, "the breaker is open", func() bool {
		code, body, _ := order()
		said = body
		return code >= 500 && strings.Contains(body, "breaker") && strings.Contains(body, "open")
	})
	t.Logf("open %v after the first was told to fail: %s", time.Since(began).Round(10*time.Millisecond), strings.TrimSpace(said))
	var took []time.Duration
	told := 0
	for range 40 {
		code, body, d := order()
		took = append(took, d)
		if code >= 500 && strings.Contains(body, "breaker") {
			told++
		}
		wait(t, 50*time.Millisecond)
	}
	slices.Sort(took)
	t.Logf("of 40 requests %d said that the breaker is open; answered within %v (p50 %v)", told, took[len(took)-1], took[len(took)/2])
	if took[len(took)/2] > 500*time.Millisecond {
		t.Error("customers wait for what cannot be")
	}
	if told < 20 {
		t.Errorf("only %d of 40 were told", told)
	}
	for _, instance := range instances {
		p.must("demo", "heal", instance)
	}
	healed := time.Now()
	inRow := 0
	p.eventually(60*time.Second, "the breaker is closed", func() bool {
		if code, _, _ := order(); code == 200 {
			inRow++
		} else {
			inRow = 0
		}
		return inRow == 40
	})
	t.Logf("40 requests in a row were served %v after it was well", time.Since(healed).Round(10*time.Millisecond))
	t.Log(fmt.Sprint("reasons: ", p.load().Reasons))
}
