// SPDX-License-Identifier: Apache-2.0

package otelplat_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	orcapb "github.com/cncf/xds/go/xds/data/orca/v3"
	orcasvc "github.com/cncf/xds/go/xds/service/orca/v3"
	"github.com/otelplat/platform/internal/loadreport"
	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/semconv"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/weightedroundrobin" // a user's client has it too
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/orca"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// service is a gRPC service whose one call does what a test likes.
type service struct {
	grpc_health_v1.UnimplementedHealthServer
	check func(ctx context.Context) error
}

func (s *service) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{}, s.check(ctx)
}

func (s *service) Watch(_ *grpc_health_v1.HealthCheckRequest, stream grpc_health_v1.Health_WatchServer) error {
	return s.check(stream.Context())
}

// serveGRPC serves with the telemetry's options, and others after them.
func serveGRPC(t *testing.T, tel *otelplat.Telemetry, check func(ctx context.Context) error, others ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(append(tel.GRPCServerOptions(), others...)...)
	grpc_health_v1.RegisterHealthServer(s, &service{check: check})
	tel.RegisterLoadReports(s)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func dial(t *testing.T, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

func check(ctx context.Context, cc grpc.ClientConnInterface, opts ...grpc.CallOption) error {
	_, err := grpc_health_v1.NewHealthClient(cc).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, opts...)
	return err
}

// inTrailer reads the report of a call.
func inTrailer(t *testing.T, trailer metadata.MD) loadreport.Report {
	t.Helper()
	values := trailer.Get("endpoint-load-metrics-bin")
	if len(values) != 1 {
		t.Fatalf("%d reports in trailer %v", len(values), trailer)
	}
	p := new(orcapb.OrcaLoadReport)
	if err := proto.Unmarshal([]byte(values[0]), p); err != nil {
		t.Fatal(err)
	}
	r, err := loadreport.FromProto(p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryCallTellsTheLoad(t *testing.T) {
	fail := atomic.Bool{}
	cc := dial(t, serveGRPC(t, alone(t), func(context.Context) error {
		if fail.Load() {
			return status.Error(codes.Internal, "as it was told")
		}
		return nil
	}))
	var trailer metadata.MD
	if err := check(t.Context(), cc, grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if r := inTrailer(t, trailer); r.InFlight != 0 || r.AtArrival != 0 {
		t.Errorf("a call: %+v", r)
	}
	idle := func() { wantIdle(t, func() (loadreport.Report, error) { return loadreport.AskGRPC(t.Context(), cc) }) }
	idle()
	fail.Store(true)
	if err := check(t.Context(), cc, grpc.Trailer(&trailer)); status.Code(err) != codes.Internal {
		t.Fatal(err)
	}
	if r := inTrailer(t, trailer); r.InFlight != 0 || r.AtArrival != 0 || r.Latency == 0 {
		t.Errorf("a call that fails: %+v", r)
	}
	idle()
	stream, err := grpc_health_v1.NewHealthClient(cc).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Internal {
		t.Fatal(err)
	}
	if r := inTrailer(t, stream.Trailer()); r.InFlight != 0 || r.AtArrival != 0 {
		t.Errorf("a stream: %+v", r)
	}
}

func TestAHandlerAddsWhatItKnows(t *testing.T) {
	cc := dial(t, serveGRPC(t, alone(t), func(ctx context.Context) error {
		r := orca.CallMetricsRecorderFromContext(ctx)
		r.SetApplicationUtilization(0.75)
		r.SetNamedMetric("queue", 3)
		r.SetNamedMetric("in_flight", 40)
		return grpc.SetTrailer(ctx, metadata.Pairs("other", "trailer"))
	}))
	var trailer metadata.MD
	if err := check(t.Context(), cc, grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if r := inTrailer(t, trailer); r.AtArrival != 0 || r.InFlight != 40 {
		t.Errorf("%+v: the server's own figures, but for what the handler knows better", r)
	}
	p := new(orcapb.OrcaLoadReport)
	if err := proto.Unmarshal([]byte(trailer.Get("endpoint-load-metrics-bin")[0]), p); err != nil {
		t.Fatal(err)
	}
	if p.ApplicationUtilization != 0.75 || p.NamedMetrics["queue"] != 3 {
		t.Errorf("%v", p)
	}
	if got := trailer.Get("other"); len(got) != 1 || got[0] != "trailer" {
		t.Errorf("other trailers: %v", trailer)
	}
}

func TestAGRPCProbeIsAnsweredWhileEveryCallWaitsAndEveryoneIsRefused(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	tel := alone(t)
	slot := make(chan struct{}, 1)
	queue := func(ctx context.Context, in any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if info.FullMethod == loadreport.Method {
			return nil, status.Error(codes.PermissionDenied, "the policy forbids it")
		}
		entered <- struct{}{}
		slot <- struct{}{}
		defer func() { <-slot }()
		return handler(ctx, in)
	}
	cc := dial(t, serveGRPC(t, tel, func(context.Context) error { <-release; return nil }, grpc.ChainUnaryInterceptor(queue)))
	ended := make(chan metadata.MD)
	for range 3 {
		go func() {
			var trailer metadata.MD
			if err := check(t.Context(), cc, grpc.Trailer(&trailer)); err != nil {
				t.Error(err)
			}
			ended <- trailer
		}()
		<-entered
	}
	if r, err := loadreport.AskGRPC(t.Context(), cc); err != nil || r.InFlight != 3 || r.AtArrival != -1 {
		t.Errorf("%+v, %v; want 3 in flight", r, err)
	}
	close(release)
	arrivals := make(map[int]bool)
	for range 3 {
		r := inTrailer(t, <-ended)
		if r.InFlight > 2 {
			t.Errorf("%+v", r)
		}
		arrivals[r.AtArrival] = true
	}
	if len(arrivals) != 3 {
		t.Errorf("they met %v others, want 0, 1 and 2", arrivals)
	}
}

func TestHTTPAndGRPCShareOneCount(t *testing.T) {
	tel := alone(t)
	entered, release := make(chan struct{}), make(chan struct{})
	cc := dial(t, serveGRPC(t, tel, func(context.Context) error { entered <- struct{}{}; <-release; return nil }))
	ended := make(chan error, 1)
	go func() { ended <- check(t.Context(), cc) }()
	<-entered
	client, base := web(t, tel, nil)
	if r, err := loadreport.AskHTTP(t.Context(), client.Transport, base); err != nil || r.InFlight != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhoAsksForTheLoadIsNeitherTracedNorCounted(t *testing.T) {
	c := newCollector(t, "grpc")
	tel := start(t, otelplat.WithSignalInterval(100*time.Millisecond))
	cc := dial(t, serveGRPC(t, tel, func(context.Context) error { return nil }))
	watching, stop := context.WithCancel(t.Context())
	stream, err := orcasvc.NewOpenRcaServiceClient(cc).StreamCoreMetrics(watching, &orcasvc.OrcaLoadReportRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := stream.Recv(); err != nil || len(p.NamedMetrics) == 0 {
		t.Errorf("out of band: %v, %v", p, err)
	}
	for range 10 {
		if r, err := loadreport.AskGRPC(t.Context(), cc); err != nil || r.InFlight != 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	for range 2 {
		if err := check(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	eventually(t, func() bool { n, _ := c.all(semconv.ServerRequests); return n >= 2 }, "two calls are reported")
	if err := shutdown(tel, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if n, _ := c.all(semconv.ServerRequests); n != 2 {
		t.Errorf("%g calls were counted, want 2", n)
	}
	c.see(func() {
		if len(c.spans) != 2 {
			t.Errorf("%d spans, want 2", len(c.spans))
		}
	})
}

func TestWhatACallTellsOfTheServer(t *testing.T) {
	for code, want := range map[codes.Code]struct{ failure, latency bool }{
		codes.OK:                {latency: true},
		codes.NotFound:          {latency: true},
		codes.PermissionDenied:  {},
		codes.Unauthenticated:   {},
		codes.ResourceExhausted: {},
		codes.Canceled:          {},
		codes.Internal:          {failure: true},
		codes.Unavailable:       {failure: true},
		codes.DeadlineExceeded:  {failure: true},
		codes.Unknown:           {failure: true},
	} {
		t.Run(code.String(), func(t *testing.T) {
			cc := dial(t, serveGRPC(t, alone(t), func(context.Context) error { return status.Error(code, "") }))
			if err := check(t.Context(), cc); status.Code(err) != code {
				t.Fatal(err)
			}
			wantReport(t, cc, want.failure, want.latency)
		})
	}
	t.Run("a stream", func(t *testing.T) {
		cc := dial(t, serveGRPC(t, alone(t), func(context.Context) error { return nil }))
		stream, err := grpc_health_v1.NewHealthClient(cc).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err == nil {
			t.Fatal("a message")
		}
		wantReport(t, cc, false, false)
	})
}

func wantReport(t *testing.T, cc *grpc.ClientConn, failure, latency bool) {
	t.Helper()
	var r loadreport.Report
	var err error
	eventually(t, func() bool {
		if r, err = loadreport.AskGRPC(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
		return r.InFlight == 0 && r.RPS > 0
	}, "the call ended")
	if r.EPS > 0 != failure || r.Latency > 0 != latency {
		t.Errorf("%+v", r)
	}
}

func TestWithoutLoadReportsACallTellsNothing(t *testing.T) {
	cc := dial(t, serveGRPC(t, alone(t, otelplat.WithoutLoadReports()), func(context.Context) error { return nil }))
	var trailer metadata.MD
	if err := check(t.Context(), cc, grpc.Trailer(&trailer)); err != nil || len(trailer.Get("endpoint-load-metrics-bin")) > 0 {
		t.Errorf("%v, %v", trailer, err)
	}
	if _, err := loadreport.AskGRPC(t.Context(), cc); !errors.Is(err, loadreport.ErrNotOffered) {
		t.Errorf("a probe: %v", err)
	}
}

// priced serves calls that cost so much CPU time each, of a process of its own.
type priced struct {
	address string
	calls   atomic.Int64
}

func newPriced(t *testing.T, cost time.Duration) *priced {
	tel := alone(t)
	p := &priced{}
	otelplat.SetLoad(tel, loadreport.WithCPU(func() (loadreport.CPUTime, bool) {
		return loadreport.CPUTime{User: time.Duration(p.calls.Load()) * cost}, true
	}, 1))
	p.address = serveGRPC(t, tel, func(context.Context) error { p.calls.Add(1); return nil })
	return p
}

func TestGRPCsOwnWeightedRoundRobinFollowsTheLoad(t *testing.T) {
	for name, outOfBand := range map[string]bool{"that calls carry": false, "out of band": true} {
		t.Run(name, func(t *testing.T) {
			cheap, dear := newPriced(t, time.Millisecond), newPriced(t, 4*time.Millisecond)
			if outOfBand {
				// The first report comes at once, the second in 30 s at the earliest: let it
				// have something to say.
				for _, p := range []*priced{cheap, dear} {
					cc := dial(t, p.address)
					eventually(t, func() bool {
						r, err := loadreport.AskGRPC(t.Context(), cc)
						if err == nil {
							err = check(t.Context(), cc)
						}
						return err == nil && r.CPUUtilization > 0
					}, "the load is known")
				}
			}
			addresses := manual.NewBuilderWithScheme("two")
			addresses.InitialState(resolver.State{Endpoints: []resolver.Endpoint{
				{Addresses: []resolver.Address{{Addr: cheap.address}}}, {Addresses: []resolver.Address{{Addr: dear.address}}},
			}})
			cc := dial(t, "two:///", grpc.WithResolvers(addresses), grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig": [
				{"weighted_round_robin": {"enableOobLoadReport": %t, "blackoutPeriod": "0s", "weightUpdatePeriod": "0.1s"}}]}`, outOfBand)))
			eventually(t, func() bool {
				c, d := cheap.calls.Load(), dear.calls.Load()
				for range 100 {
					if err := check(t.Context(), cc); err != nil {
						t.Fatal(err)
					}
				}
				c, d = cheap.calls.Load()-c, dear.calls.Load()-d
				return c > 3*d && c < 5*d
			}, "of calls that cost 1 and 4 ms, four go to the one for each that goes to the other")
		})
	}
}

// BenchmarkServerGRPC compares whole calls over loopback, of which the reports are a part.
func BenchmarkServerGRPC(b *testing.B) {
	for name, opts := range map[string][]otelplat.Option{"counted": {otelplat.WithoutLoadReports()}, "reported": nil} {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			s := grpc.NewServer(alone(b, opts...).GRPCServerOptions()...)
			grpc_health_v1.RegisterHealthServer(s, &service{check: func(context.Context) error { return nil }})
			go s.Serve(l)
			defer s.Stop()
			cc, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				b.Fatal(err)
			}
			defer cc.Close()
			b.ReportAllocs()
			for b.Loop() {
				if err := check(b.Context(), cc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
