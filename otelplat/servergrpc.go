// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"context"
	"maps"
	"strings"

	"github.com/otelplat/platform/internal/loadreport"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
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
		grpc.ChainUnaryInterceptor(s.unary), grpc.ChainStreamInterceptor(s.stream),
		orca.CallMetricsServerOption(nil)) // the handler's own recorder: see trailers
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

// told is the load, as package orca asks for it out of band.
type told struct{ *server }

func (t told) ServerMetrics() *orca.ServerMetrics { return t.load.Report().Metrics() }

// unary is the first interceptor: a probe is answered here, and nothing after it is asked.
func (s *server) unary(ctx context.Context, in any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if info.FullMethod == loadreport.Method {
		return s.load.Report().Proto(), nil
	}
	t := newTrailers(ctx)
	if t == nil {
		return handler(ctx, in)
	}
	out, err := handler(grpc.NewContextWithServerTransportStream(ctx, t), in)
	t.report(s.load)
	return out, err
}

func (s *server) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	t := newTrailers(stream.Context())
	if t == nil {
		return handler(srv, stream)
	}
	err := handler(srv, contextStream{stream, grpc.NewContextWithServerTransportStream(stream.Context(), t)})
	t.report(s.load)
	return err
}

// contextStream is a stream with another context.
type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s contextStream) Context() context.Context { return s.ctx }

// trailers is a call's stream as what is inside of it sees it. It keeps the report that
// package orca makes of what the handler recorded, so that the call sends one, of both:
// the concatenation of two messages is their merger, in which the second goes before the
// first. Package orca could do it, at the cost of some thirty allocations for maps.
type trailers struct {
	grpc.ServerTransportStream
	call     *call
	recorded string
}

// newTrailers returns nil for what is not a call of the service's.
func newTrailers(ctx context.Context) *trailers {
	call, ok := ctx.Value(callKey{}).(*call)
	stream := grpc.ServerTransportStreamFromContext(ctx)
	if !ok || stream == nil {
		return nil
	}
	return &trailers{ServerTransportStream: stream, call: call}
}

func (t *trailers) SetTrailer(md metadata.MD) error {
	if reports := md[loadreport.Trailer]; len(reports) > 0 {
		t.recorded += strings.Join(reports, "")
		md = maps.Clone(md)
		delete(md, loadreport.Trailer)
	}
	if len(md) == 0 {
		return nil
	}
	return t.ServerTransportStream.SetTrailer(md)
}

func (t *trailers) report(load *loadreport.Server) {
	var buf [256]byte
	message := append(load.ReportTo(t.call.request).AppendProto(buf[:0]), t.recorded...)
	// Without a client that still listens there is nobody to tell.
	_ = t.ServerTransportStream.SetTrailer(metadata.MD{loadreport.Trailer: {string(message)}})
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
