// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/grpc"
)

func (t *Telemetry) attribute(key attribute.Key) string {
	value, _ := t.resource.Set().Value(key)
	return value.AsString()
}

// HTTPHandler returns h with a server span and the standard metrics for every
// request. The operation names requests that no pattern of a ServeMux matched. What the
// process's servers did leaves on the signal meter too, once a second.
//
// It offers load reports: see the package documentation. Install it outermost, so that a
// probe is answered before anything can queue or refuse it, and so that requests in flight
// are all requests in flight. A request's context ends when its caller gives up waiting, as
// far as the caller says so (X-Envoy-Expected-Rq-Timeout-Ms, which coord/router sends).
func (t *Telemetry) HTTPHandler(h http.Handler, operation string) http.Handler {
	return t.server.http(otelhttp.NewHandler(h, operation, t.http()...))
}

// HTTPTransport returns base (nil: [http.DefaultTransport]) with a client span and
// the standard metrics for every request, and the trace context in its headers.
func (t *Telemetry) HTTPTransport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return otelhttp.NewTransport(base, t.http()...)
}

func (t *Telemetry) http() []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.tracers),
		otelhttp.WithMeterProvider(t.meters),
		otelhttp.WithPropagators(t.propagator),
	}
}

// GRPCServerOptions instrument a gRPC server: a span and the standard metrics for
// every call, and a load report in its trailer. Give them to grpc.NewServer before the
// interceptors of others, so that a probe is answered before them; of those, none by
// grpc.UnaryInterceptor, which goes before all chained ones.
//
//	s := grpc.NewServer(append(t.GRPCServerOptions(), grpc.ChainUnaryInterceptor(guard.Unary))...)
//	t.RegisterLoadReports(s)
//
// A handler may add what it knows with orca.CallMetricsRecorderFromContext.
func (t *Telemetry) GRPCServerOptions() []grpc.ServerOption {
	return t.server.grpc(otelgrpc.NewServerHandler(t.grpc()...))
}

// RegisterLoadReports registers what answers load probes, and ORCA's service for gRPC's
// own weighted_round_robin with enableOobLoadReport: every 30 s at most, as ORCA has it.
// The stream of the latter passes the interceptors of streams, and grpc.Server.GracefulStop
// waits for it as for any other: let Stop follow after a time.
func (t *Telemetry) RegisterLoadReports(s grpc.ServiceRegistrar) { t.server.registerGRPC(s) }

// GRPCDialOption instruments a gRPC client, and puts the trace context in its
// metadata.
func (t *Telemetry) GRPCDialOption() grpc.DialOption {
	return grpc.WithStatsHandler(otelgrpc.NewClientHandler(t.grpc()...))
}

func (t *Telemetry) grpc() []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(t.tracers),
		otelgrpc.WithMeterProvider(t.meters),
		otelgrpc.WithPropagators(t.propagator),
	}
}
