// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Unary is a grpc.UnaryServerInterceptor.
func (g *Guard) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if g.public[info.FullMethod] {
		return handler(ctx, req)
	}
	ctx, err := g.admitRPC(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// Stream is a grpc.StreamServerInterceptor.
func (g *Guard) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if g.public[info.FullMethod] {
		return handler(srv, stream)
	}
	ctx, err := g.admitRPC(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return handler(srv, &guardedStream{stream, ctx})
}

// guardedStream carries the principal.
type guardedStream struct {
	grpc.ServerStream
	ctx context.Context // of the stream; there is no other way to hand it to the handler
}

func (s *guardedStream) Context() context.Context { return s.ctx }

func (g *Guard) admitRPC(ctx context.Context, method string) (context.Context, error) {
	authorization := ""
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) == 1 {
		authorization = values[0] // two would leave open which counts
	}
	ctx, err := g.admit(ctx, authorization, method, policy.Entity{Type: "rpc", ID: method})
	switch {
	case err == nil:
		return ctx, nil
	case errors.Is(err, authn.ErrUnauthenticated):
		return nil, status.Error(codes.Unauthenticated, "a valid bearer token is needed")
	}
	return nil, err
}
