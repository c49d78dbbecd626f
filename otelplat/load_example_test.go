// SPDX-License-Identifier: Apache-2.0

package otelplat_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/otelplat/platform/otelplat"
	"google.golang.org/grpc"
)

// A server tells its load, to a probe or with a response.
func ExampleTelemetry_HTTPHandler() {
	t, err := otelplat.Start(context.Background(), otelplat.WithServiceName("stock"), otelplat.WithConsole(io.Discard), otelplat.WithoutGlobals())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Shutdown(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stock", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "3 in stock") })
	server := httptest.NewServer(t.HTTPHandler(mux, "stock"))
	defer server.Close()

	resp, err := http.Get(server.URL + "/.well-known/otelplat/load")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output: TEXT named_metrics.in_flight=0 <nil>
}

// The telemetry's options come first, the interceptors of others after them.
func ExampleTelemetry_GRPCServerOptions() {
	t, err := otelplat.Start(context.Background(), otelplat.WithServiceName("stock"), otelplat.WithConsole(io.Discard), otelplat.WithoutGlobals())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Shutdown(context.Background())
	allow := func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return handler(ctx, in) // a guard
	}
	server := grpc.NewServer(append(t.GRPCServerOptions(), grpc.ChainUnaryInterceptor(allow))...)
	t.RegisterLoadReports(server)
	defer server.Stop()
	fmt.Println(len(server.GetServiceInfo()["otelplat.load.v1.Load"].Methods))
	// Output: 1
}
