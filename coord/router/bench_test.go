// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/otelplat/platform/coord/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// answer is a transport without a network.
type answer struct{}

func (answer) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("ok")), Request: req}, nil
}

// BenchmarkRoundTrip is the router's overhead, with the SDK's histogram behind it:
// what "none" takes is the benchmark's own.
func BenchmarkRoundTrip(b *testing.B) {
	bench := func(b *testing.B, t http.RoundTripper) {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://orders/", nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			resp, err := t.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
	b.Run("none", func(b *testing.B) { bench(b, answer{}) })
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprintf("router/size=%d", size), func(b *testing.B) {
			var instances []discovery.Instance
			for i := range size {
				instances = append(instances, discovery.Instance{Service: "orders", ID: fmt.Sprintf("i%d", i),
					Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}}})
			}
			r, _, _ := newRouter(b, table(b, instances...))
			bench(b, r.Transport(answer{}))
		})
	}
}

// BenchmarkRPC is the router's overhead of a unary RPC: an interceptor, a choice among ten
// connections, and the end. What round_robin takes is gRPC's own, with the same servers.
func BenchmarkRPC(b *testing.B) {
	const method = "/grpc.health.v1.Health/Check"
	var list []discovery.Instance
	for i := range 10 {
		list = append(list, newRPCBackend(b, fmt.Sprint("i", i), "127.0.0.1:0").Instance)
	}
	r, _, _ := newRouter(b, table(b, list...))
	bench := func(b *testing.B, target string, opts ...grpc.DialOption) {
		conn, err := grpc.NewClient(target, append(opts, plaintext())...)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		in, out := &grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckResponse{}
		b.ReportAllocs()
		for b.Loop() {
			if err := conn.Invoke(b.Context(), method, in, out, grpc.WaitForReady(true)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("round_robin/size=10", func(b *testing.B) {
		static := manual.NewBuilderWithScheme("static")
		var state resolver.State
		for _, in := range list {
			state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: in.Endpoints[0].Address}}})
		}
		static.InitialState(state)
		bench(b, "static:///orders", grpc.WithResolvers(static), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	})
	b.Run("router/size=10", func(b *testing.B) { bench(b, "otelplat:///orders", r.DialOptions()...) })
}
