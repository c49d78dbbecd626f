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

// GRPCServerOption instruments a gRPC server: a span and the standard metrics for
// every call.
func (t *Telemetry) GRPCServerOption() grpc.ServerOption {
	return grpc.StatsHandler(t.server.grpc(otelgrpc.NewServerHandler(t.grpc()...)))
}

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
