// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/override"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const checks = "/grpc.health.v1.Health/Check"

// watch begins a stream and waits for its first message.
func watch(ctx context.Context, c grpc_health_v1.HealthClient) error {
	stream, err := c.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	return err
}

func TestAnRPCThatNobodyTakesHasAStatusAndACause(t *testing.T) {
	forced := override.Memory()
	b := newRPCBackend(t, "a", "127.0.0.1:0")
	d := table(t)
	r, _, _ := newRouter(t, d, router.WithOverrides(forced))
	client := dial(t, r)
	for name, send := range map[string]func() error{
		"unary":    func() error { return check(t.Context(), client, "") },
		"a stream": func() error { return watch(t.Context(), client) },
	} {
		err := send()
		none, ok := errors.AsType[*router.NoInstancesError](err)
		if status.Code(err) != codes.Unavailable || !errors.Is(err, router.ErrNoInstances) || !ok || none.Service != "orders" {
			t.Errorf("%s: without an instance %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if status.Code(err) != codes.DeadlineExceeded || !errors.Is(err, router.ErrNoInstances) {
		t.Errorf("who waited for ready until its deadline: %v", err)
	}

	if err := d.Set(b.Instance); err != nil {
		t.Fatal(err)
	}
	connects(t, client, b)
	force(t, forced, override.Override{Kind: override.Breaker, State: override.Open})
	coordtest.Eventually(t, patience, func() bool { return check(t.Context(), client, "") != nil }, "the breaker is open")
	for name, send := range map[string]func() error{
		"unary":    func() error { return check(t.Context(), client, "") },
		"a stream": func() error { return watch(t.Context(), client) },
	} {
		err := send()
		open, ok := errors.AsType[*router.OpenError](err)
		if status.Code(err) != codes.Unavailable || !errors.Is(err, router.ErrOpen) || !ok || open.Rule != "forced" {
			t.Errorf("%s: with an open breaker %v", name, err)
		}
		if s, ok := status.FromError(err); !ok || !strings.Contains(s.Message(), "breaker of") {
			t.Errorf("%s: its status is %v", name, s)
		}
	}

	r.Close()
	for name, send := range map[string]func() error{
		"unary":    func() error { return check(t.Context(), client, "") },
		"a stream": func() error { return watch(t.Context(), client) },
	} {
		if err := send(); status.Code(err) != codes.Unavailable || !errors.Is(err, router.ErrClosed) {
			t.Errorf("%s: of a closed router %v", name, err)
		}
	}
}

func TestWhichRPCsAreSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		code     codes.Code
		class    string
		again    bool
	}{
		"a method that may be repeated, when it was Unavailable": {"retry: {methods: [" + checks + "]}", codes.Unavailable, "", true},
		"all methods of a service":                               {"retry: {methods: [/grpc.health.v1.Health/]}", codes.Unavailable, "", true},
		"no other method":                                        {"retry: {methods: [/grpc.health.v1.Health/Other]}", codes.Unavailable, "", false},
		"nothing without a document":                             {"", codes.Unavailable, "", false},
		"no other code":                                          {"retry: {methods: [" + checks + "]}", codes.Internal, "", false},
		"all failures, where they are a cause":                   {"retry: {methods: [" + checks + "], on: [failure]}", codes.Internal, "", true},
		"what is no failure is never sent again":                 {"retry: {methods: [" + checks + "], on: [failure]}", codes.NotFound, "", false},
		"a class, named by a trailer": {"retry: {methods: [" + checks + "], on: [overloaded]}\nfailure: {header: x-error-class, classes: [overloaded]}",
			codes.ResourceExhausted, "overloaded", true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
			r, _, _ := newRouter(t, table(t, a.Instance, b.Instance), router.WithRules(documentOf(t, c.document)))
			client := dial(t, r)
			connects(t, client, a, b)
			for _, b := range []*rpcBackend{a, b} {
				b.code.Store(uint32(c.code))
				b.class.Store(c.class)
			}
			a0, b0 := a.served.Load(), b.served.Load()
			if err := check(t.Context(), client, ""); status.Code(err) != c.code {
				t.Errorf("got %v", err)
			}
			a1, b1 := a.served.Load()-a0, b.served.Load()-b0
			if c.again && (a1 != 1 || b1 != 1) || !c.again && a1+b1 != 1 {
				t.Errorf("a served %d, b %d", a1, b1)
			}
		})
	}
}

func TestDeadlinesOfRPCs(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		caller   time.Duration
		left     time.Duration // that the instance is told
		calls    int64
	}{
		"the document's":             {"timeout: 200ms", 0, 200 * time.Millisecond, 1},
		"the caller's is shorter":    {"timeout: 10s", 100 * time.Millisecond, 100 * time.Millisecond, 1},
		"of an attempt, tried again": {"retry: {per_try_timeout: 100ms, on: [timeout], methods: [" + checks + "]}", 0, 100 * time.Millisecond, 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := newRPCBackend(t, "a", "127.0.0.1:0")
			r, _, _ := newRouter(t, table(t, b.Instance), router.WithRules(documentOf(t, c.document)))
			client := dial(t, r)
			connects(t, client, b)
			before := b.served.Load()
			b.takes.Store(int64(time.Minute))
			ctx := t.Context()
			if c.caller > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.caller)
				defer cancel()
			}
			if err := check(ctx, client, ""); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("got %v", err)
			}
			if left := time.Duration(b.left.Load()); left <= 0 || left > c.left {
				t.Errorf("the instance was told of %v, want at most %v", left, c.left)
			}
			if n := b.served.Load() - before; n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
		})
	}
}

// hedgingRPCs returns two instances and a client that knows how fast they are.
func hedgingRPCs(t *testing.T) (a, b *rpcBackend, r *router.Router, client grpc_health_v1.HealthClient) {
	t.Helper()
	a, b = newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
	r, _, _ = newRouter(t, table(t, a.Instance, b.Instance), router.WithRules(documentOf(t,
		"hedge: {after: 0.9}\nretry: {methods: ["+checks+"], min: 100}\npolicy: {name: round_robin}\nbreaker: {mode: off}")))
	client = dial(t, r)
	connects(t, client, a, b)
	coordtest.Eventually(t, patience, func() bool {
		_ = check(t.Context(), client, "")
		return router.KnowsLatency(r, "orders", 0.9)
	}, "the quantiles are known")
	return a, b, r, client
}

func TestALateRPCIsSentToAnotherInstanceToo(t *testing.T) {
	a, _, r, client := hedgingRPCs(t)
	a.takes.Store(int64(time.Minute))
	began := time.Now()
	for range 4 { // in turns
		req := &grpc_health_v1.HealthCheckRequest{Service: "x"}
		if _, err := client.Check(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		req.Service = "whoever has the reply may change the request"
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("took %v", took)
	}
	if s := stats(t, r); s.Extra < 1 || s.Failures != 0 {
		t.Errorf("counted %+v", s)
	}
	coordtest.Eventually(t, patience, func() bool { return a.gaveUp.Load() > 0 && stateOf(t, r, "a").InFlight == 0 }, "the losers were given up")
	if c := stateOf(t, r, "a"); c.State != router.Active {
		t.Errorf("a, which lost, is %s", c.State)
	}
}

func TestAllAttemptsOfAnRPCMayFail(t *testing.T) {
	a, b, r, client := hedgingRPCs(t)
	for _, b := range []*rpcBackend{a, b} {
		b.takes.Store(int64(100 * time.Millisecond))
		b.code.Store(uint32(codes.Unavailable))
	}
	if err := check(t.Context(), client, ""); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if s := stats(t, r); s.Extra != 2 || s.Failures != 3 {
		t.Errorf("%d beyond the first, %d failures; want the hedge and a retry", s.Extra, s.Failures)
	}
}

func TestWhichRPCsAreNotHedged(t *testing.T) {
	a, b, r, client := hedgingRPCs(t)
	a.takes.Store(int64(50 * time.Millisecond))
	b.takes.Store(int64(50 * time.Millisecond))
	before := stats(t, r).Extra
	var header, trailer metadata.MD
	for name, opt := range map[string]grpc.CallOption{
		"header": grpc.Header(&header), "trailer": grpc.Trailer(&trailer), "the end": grpc.OnFinish(func(error) {}),
	} {
		if _, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}, opt); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := stats(t, r).Extra - before; n != 0 {
		t.Errorf("%d hedges of calls that receive more than their reply", n)
	}
	if header.Get("content-type") == nil {
		t.Error("the header was not received")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := watch(ctx, client); err != nil {
		t.Error(err)
	}
	if n := stats(t, r).Extra - before; n != 0 {
		t.Errorf("%d hedges of a stream", n)
	}
	if _, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil || stats(t, r).Extra-before != 1 {
		t.Errorf("%v; %d hedges where there should be one", err, stats(t, r).Extra-before)
	}
}

func TestAHedgedRPCWithOneInstanceStaysWithIt(t *testing.T) {
	only := newRPCBackend(t, "only", "127.0.0.1:0")
	one, _, _ := newRouter(t, table(t, only.Instance), router.WithRules(documentOf(t, "hedge: {after: 0.9}\nretry: {methods: ["+checks+"]}")))
	client := dial(t, one)
	coordtest.Eventually(t, patience, func() bool {
		_ = check(t.Context(), client, "")
		return router.KnowsLatency(one, "orders", 0.9)
	}, "the quantiles are known")
	only.takes.Store(int64(50 * time.Millisecond))
	before := only.served.Load()
	for _, ready := range []bool{false, true} {
		if _, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(ready)); err != nil {
			t.Errorf("wait for ready %v: %v", ready, err)
		}
	}
	if n := only.served.Load() - before; n != 2 || stats(t, one).Extra != 0 {
		t.Errorf("served %d, %d beyond the first", n, stats(t, one).Extra)
	}
}

func TestAnInstanceThatMovesIsReachedWhereItIs(t *testing.T) {
	a := newRPCBackend(t, "a", "127.0.0.1:0")
	d := table(t, a.Instance)
	r, _, _ := newRouter(t, d)
	client := dial(t, r)
	connects(t, client, a)
	moved := newRPCBackend(t, "a", "127.0.0.1:0")
	if err := d.Set(moved.Instance); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool {
		if err := check(t.Context(), client, ""); err != nil {
			t.Error(err) // what is on its way when it moves must not fail
		}
		return moved.served.Load() > 0
	}, "it is reached at its new address")
	before := a.served.Load()
	for range 20 {
		_ = check(t.Context(), client, "")
	}
	if a.served.Load() != before {
		t.Error("the old address still gets calls")
	}
	if err := d.Set(); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return errors.Is(check(t.Context(), client, ""), router.ErrNoInstances) }, "it is gone")
}

func TestAChannelIsClosedWhileRPCsFlyAndMembersChange(t *testing.T) {
	a, b := newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
	a.takes.Store(int64(time.Millisecond))
	d := table(t, a.Instance, b.Instance)
	r, _, _ := newRouter(t, d)
	for range 5 {
		conn, err := grpc.NewClient("otelplat:///orders", append(r.DialOptions(), plaintext())...)
		if err != nil {
			t.Fatal(err)
		}
		client := grpc_health_v1.NewHealthClient(conn)
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 10 {
					_ = check(t.Context(), client, "")
				}
			})
		}
		callers.Go(func() {
			_ = d.Set(a.Instance)
			_ = d.Set(a.Instance, b.Instance)
		})
		conn.Close()
		callers.Wait()
	}
	coordtest.Eventually(t, patience, func() bool { return stateOf(t, r, "a").InFlight == 0 }, "nothing is in flight")
}

func TestTargetsWithAnAuthorityAreTheRoutersToo(t *testing.T) {
	a := newRPCBackend(t, "a", "127.0.0.1:0")
	forced := override.Memory()
	r, _, _ := newRouter(t, table(t, a.Instance), router.WithOverrides(forced))
	conn, err := grpc.NewClient("otelplat://here/orders", append(r.DialOptions(), plaintext())...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	connects(t, client, a)
	force(t, forced, override.Override{Kind: override.Breaker, State: override.Open})
	coordtest.Eventually(t, patience, func() bool { return errors.Is(check(t.Context(), client, ""), router.ErrOpen) }, "its breaker holds")
}

func TestADialToANameThatNoServiceHasFails(t *testing.T) {
	r, _, _ := newRouter(t, table(t))
	conn, err := grpc.NewClient("otelplat:///not%20a%20name", append(r.DialOptions(), plaintext())...)
	if err == nil {
		defer conn.Close()
		err = check(t.Context(), grpc_health_v1.NewHealthClient(conn), "")
	}
	if err == nil {
		t.Error("no error")
	}
}

// An interceptor that forgets the context's values takes retries and breakers away, and
// nothing else.
func TestAnRPCWhoseContextWasReplacedIsRoutedAsTheDefaultsSay(t *testing.T) {
	a := newRPCBackend(t, "a", "127.0.0.1:0")
	r, _, _ := newRouter(t, table(t, a.Instance))
	forgets := func(_ context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(t.Context(), method, req, reply, cc, opts...)
	}
	conn, err := grpc.NewClient("otelplat:///orders", append(r.DialOptions(), plaintext(), grpc.WithChainUnaryInterceptor(forgets))...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	connects(t, client, a)
	if err := check(t.Context(), client, ""); err != nil {
		t.Error(err)
	}
}

func TestTheRoutersOptionsServeOtherChannelsToo(t *testing.T) {
	a := newRPCBackend(t, "a", "127.0.0.1:0")
	r, _, _ := newRouter(t, table(t))
	opts := append(r.DialOptions(), plaintext(), grpc.WithDefaultServiceConfig("{}"))
	conn, err := grpc.NewClient("passthrough:///"+a.Endpoints[0].Address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	if err := check(t.Context(), client, ""); err != nil {
		t.Error(err)
	}
	if err := watch(t.Context(), client); err != nil {
		t.Error(err)
	}
}
