// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/otelplat/semconv"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// rpcBackend is an instance of orders that serves gRPC's health service.
type rpcBackend struct {
	grpc_health_v1.UnimplementedHealthServer
	discovery.Instance
	server *grpc.Server
	code   atomic.Uint32
	class  atomic.Value // a string: the trailer x-error-class
	takes  atomic.Int64 // time to an answer
	served atomic.Int64
	gaveUp atomic.Int64 // calls that their callers ended
	left   atomic.Int64 // of the last call's deadline, in ns; 0 for none
}

// newRPCBackend returns one that serves at an address, or with "" one whose [rpcBackend.serve]
// is still to be called.
func newRPCBackend(t testing.TB, id, address string, opts ...grpc.ServerOption) *rpcBackend {
	t.Helper()
	b := &rpcBackend{server: grpc.NewServer(opts...)}
	b.Instance = discovery.Instance{Service: "orders", ID: id}
	grpc_health_v1.RegisterHealthServer(b.server, b)
	if address != "" {
		b.serve(t, address)
	}
	return b
}

func (b *rpcBackend) serve(t testing.TB, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	go b.server.Serve(l)
	t.Cleanup(b.server.Stop)
	b.Endpoints = []discovery.Endpoint{{Protocol: discovery.GRPC, Address: l.Addr().String()}}
}

// Check answers with the code that the test set, or waits when asked about "wait".
func (b *rpcBackend) Check(ctx context.Context, req *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	b.served.Add(1)
	b.left.Store(0)
	if deadline, ok := ctx.Deadline(); ok {
		b.left.Store(int64(time.Until(deadline)))
	}
	if req.Service == "wait" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if takes := time.Duration(b.takes.Load()); takes > 0 {
		select {
		case <-ctx.Done():
			b.gaveUp.Add(1)
			return nil, ctx.Err()
		case <-time.After(takes):
		}
	}
	if class, _ := b.class.Load().(string); class != "" {
		_ = grpc.SetTrailer(ctx, metadata.Pairs("x-error-class", class))
	}
	if c := codes.Code(b.code.Load()); c != codes.OK {
		return nil, status.Error(c, "as the test wants")
	}
	return &grpc_health_v1.HealthCheckResponse{}, nil
}

// Watch streams until the caller ends it.
func (b *rpcBackend) Watch(_ *grpc_health_v1.HealthCheckRequest, s grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	if err := s.Send(&grpc_health_v1.HealthCheckResponse{}); err != nil {
		return err
	}
	<-s.Context().Done()
	return nil
}

func dial(t testing.TB, r *router.Router) grpc_health_v1.HealthClient {
	t.Helper()
	conn, err := grpc.NewClient("otelplat:///orders", append(r.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return grpc_health_v1.NewHealthClient(conn)
}

func plaintext() grpc.DialOption { return grpc.WithTransportCredentials(insecure.NewCredentials()) }

func check(ctx context.Context, c grpc_health_v1.HealthClient, service string) error {
	_, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	return err
}

// connects waits until both instances served.
func connects(t *testing.T, c grpc_health_v1.HealthClient, backends ...*rpcBackend) {
	t.Helper()
	for _, b := range backends {
		coordtest.Eventually(t, patience, func() bool { _ = check(t.Context(), c, ""); return b.served.Load() > 0 }, "%s serves", b.ID)
	}
}

func TestRPCsReachAllInstances(t *testing.T) {
	a, b := newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
	r, _, reader := newRouter(t, table(t, a.Instance, b.Instance))
	client := dial(t, r)
	if err := check(t.Context(), client, ""); err != nil {
		t.Fatal(err)
	}
	connects(t, client, a, b)
	if got := counts(t, reader, semconv.RouteDuration, semconv.RouteOutcome); got["ok"] != uint64(a.served.Load()+b.served.Load()) || len(got) != 1 {
		t.Errorf("recorded %v, served %d and %d", got, a.served.Load(), b.served.Load())
	}
}

func TestAnInstanceThatFailsRPCsIsLeftOutByEveryChannel(t *testing.T) {
	a, b := newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
	r, _, _ := newRouter(t, table(t, a.Instance, b.Instance), router.WithEjectionBase(time.Minute))
	one := dial(t, r)
	connects(t, one, a, b)
	a.code.Store(uint32(codes.Internal))
	coordtest.Eventually(t, patience, func() bool {
		_ = check(t.Context(), one, "")
		return stateOf(t, r, "a").State == router.Ejected
	}, "a is ejected")
	other, before := dial(t, r), a.served.Load()
	for range 50 {
		if err := check(t.Context(), other, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.served.Load() - before; n != 0 {
		t.Errorf("a second channel sent %d requests to the ejected instance", n)
	}
}

func TestHowAnRPCEnds(t *testing.T) {
	for name, c := range map[string]struct {
		code    codes.Code
		wait    bool
		timeout time.Duration
		cancel  time.Duration
		outcome string
	}{
		"answered":            {outcome: "ok"},
		"not found":           {code: codes.NotFound, outcome: "ok"},
		"no quota":            {code: codes.ResourceExhausted, outcome: "ok"},
		"unavailable":         {code: codes.Unavailable, outcome: "error"},
		"an unknown error":    {code: codes.Unknown, outcome: "error"},
		"no answer in time":   {wait: true, timeout: 100 * time.Millisecond, outcome: "timeout"},
		"given up":            {wait: true, cancel: 100 * time.Millisecond, outcome: "cancelled"},
		"refused by deadline": {code: codes.DeadlineExceeded, outcome: "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newRPCBackend(t, "a", "127.0.0.1:0")
			b.code.Store(uint32(c.code))
			r, _, reader := newRouter(t, table(t, b.Instance))
			client := dial(t, r)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			service := ""
			if c.wait {
				b.code.Store(0)
				connects(t, client, b) // the deadline is not for connecting
				service = "wait"
			}
			if c.timeout > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.timeout)
				defer cancel()
			}
			if c.cancel > 0 {
				time.AfterFunc(c.cancel, cancel)
			}
			_ = check(ctx, client, service)
			got := counts(t, reader, semconv.RouteDuration, semconv.RouteOutcome)
			if c.wait {
				delete(got, "ok")
			}
			if got[c.outcome] != 1 || len(got) != 1 {
				t.Errorf("recorded %v, want one %q", got, c.outcome)
			}
			if n := stateOf(t, r, "a").InFlight; n != 0 {
				t.Errorf("%d in flight in the end", n)
			}
		})
	}
}

func TestAStreamIsInFlightAndTellsNothingOfSpeed(t *testing.T) {
	b := newRPCBackend(t, "a", "127.0.0.1:0")
	r, _, _ := newRouter(t, table(t, b.Instance))
	client := dial(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if c := stateOf(t, r, "a"); c.InFlight != 1 {
		t.Errorf("in flight %d, want the stream", c.InFlight)
	}
	cancel()
	coordtest.Eventually(t, patience, func() bool { return stateOf(t, r, "a").InFlight == 0 }, "the stream ended")
	if c := stateOf(t, r, "a"); c.Latency != 0 {
		t.Errorf("latency %v, want it unknown", c.Latency)
	}
}

func TestAnInstanceThatIsAwayIsPassedBy(t *testing.T) {
	a, b := newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
	r, _, _ := newRouter(t, table(t, a.Instance, b.Instance))
	client := dial(t, r)
	connects(t, client, a, b)
	a.server.Stop()
	coordtest.Eventually(t, patience, func() bool {
		for range 20 {
			if check(t.Context(), client, "") != nil {
				return false
			}
		}
		return true
	}, "all requests succeed without a")
	again := newRPCBackend(t, "a", a.Endpoints[0].Address)
	connects(t, client, again)
}

func TestAnRPCSaysWhyNobodyTakesIt(t *testing.T) {
	d := table(t)
	r, _, _ := newRouter(t, d)
	client := dial(t, r)
	err := check(t.Context(), client, "")
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), `no instance of "orders"`) {
		t.Errorf("got %v", err)
	}
	// Who waits for ready gets it when somebody comes.
	b := newRPCBackend(t, "a", "127.0.0.1:0")
	answered := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
		answered <- err
	}()
	if err := d.Set(b.Instance); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	r.Close()
	if err := check(t.Context(), client, ""); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}
