// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"context"
	"strings"

	"github.com/otelplat/platform/internal/loadreport"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/orca"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// openRCA begins the methods of ORCA's own service.
const openRCA = "/xds.service.orca.v3.OpenRcaService/"

// isCall tells whether a method is a call of the service's: what asks for its load is not.
func isCall(method string) bool {
	return method != loadreport.Method && !strings.HasPrefix(method, openRCA)
}

// grpc counts the calls that a stats handler hears of, and reports the load to who asks,
// and with every call.
func (s *server) grpc(h stats.Handler) []grpc.ServerOption {
	s.begin()
	opts := []grpc.ServerOption{grpc.StatsHandler(countedCalls{h, s})}
	if s.quiet {
		return opts
	}
	return append(opts,
		grpc.ChainUnaryInterceptor(s.probe),
		orca.CallMetricsServerOption(called{s}),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream))
}

func (s *server) registerGRPC(r grpc.ServiceRegistrar) {
	s.begin()
	if s.quiet {
		return
	}
	loadreport.Register(r, s.load)
	if err := orca.Register(r, orca.ServiceOptions{ServerMetricsProvider: told{s}}); err != nil {
		otel.Handle(err)
	}
}

// probe answers a probe where the first interceptor is: nothing after it is asked.
func (s *server) probe(ctx context.Context, in any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if info.FullMethod == loadreport.Method {
		return s.load.Report().Proto(), nil
	}
	return handler(ctx, in)
}

func (s *server) unary(ctx context.Context, in any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	defer record(ctx)
	return handler(ctx, in)
}

func (s *server) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	defer record(stream.Context())
	return handler(srv, stream)
}

// record adds to a call's report what only the call knows. To have asked for the recorder
// is also what makes package orca send a report at all.
func record(ctx context.Context) {
	call, ok := ctx.Value(callKey{}).(*call)
	recorder := orca.CallMetricsRecorderFromContext(ctx)
	if ok && recorder != nil {
		recorder.SetNamedMetric(loadreport.AtArrivalMetric, float64(call.request.InFlight()))
	}
}

// told is the load, as package orca asks for it out of band.
type told struct{ *server }

func (t told) ServerMetrics() *orca.ServerMetrics { return t.load.Report().Metrics() }

// called is the load, as package orca asks for it at the end of a call: beside that call.
type called struct{ *server }

func (c called) ServerMetrics() *orca.ServerMetrics {
	return c.load.ReportTo(loadreport.Request{}).Metrics()
}

// countedCalls counts what a stats handler hears of, which is calls of the service only.
type countedCalls struct {
	stats.Handler
	server *server
}

type (
	callKey struct{}
	call    struct {
		request loadreport.Request
		streams bool
	}
)

func (c countedCalls) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if !isCall(info.FullMethodName) {
		return ctx
	}
	return c.Handler.TagRPC(context.WithValue(ctx, callKey{}, new(call)), info)
}

func (c countedCalls) HandleRPC(ctx context.Context, rs stats.RPCStats) {
	call, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return
	}
	switch rs := rs.(type) {
	case *stats.Begin:
		call.request, call.streams = c.server.load.Begin(), rs.IsClientStream || rs.IsServerStream
	case *stats.End:
		c.server.load.End(call.request, call.outcome(rs.Error))
	}
	c.Handler.HandleRPC(ctx, rs)
}

// outcome is what a call tells of the server. The codes that are the server's fault are
// those of OpenTelemetry's semantic conventions for server spans, as in the router.
func (c *call) outcome(err error) loadreport.Outcome {
	switch status.Code(err) {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return loadreport.Failed
	case codes.Canceled, codes.Unauthenticated, codes.PermissionDenied, codes.ResourceExhausted:
		return loadreport.Neutral // given up or turned away
	}
	if c.streams {
		return loadreport.Neutral
	}
	return loadreport.OK
}
