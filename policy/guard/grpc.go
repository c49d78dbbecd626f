// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
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
	var connection *tls.ConnectionState
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			connection = &info.State
		}
	}
	if len(metadata.ValueFromIncomingContext(ctx, "authorization")) > 0 {
		connection = nil // what came for a token is not passed over
	}
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) == 1 {
		authorization = values[0] // two would leave open which counts
	}
	incoming := ctx
	ctx, id, err := g.admit(ctx, authorization, connection, method, policy.Entity{Type: "rpc", ID: method})
	if !id.IsZero() {
		_ = grpc.SetHeader(incoming, metadata.Pairs(HeaderDecision, id.String())) // the stream is at its end: nobody reads it
	}
	switch {
	case err == nil:
		return stripped(ctx), nil
	case errors.Is(err, authn.ErrUnauthenticated):
		return nil, status.Error(codes.Unauthenticated, "a valid bearer token is needed")
	}
	return nil, err
}

// stripped takes the identity headers that the client sent out of the metadata.
func stripped(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	found := false
	for _, name := range authn.IdentityHeaders {
		if name = strings.ToLower(name); len(md[name]) > 0 {
			delete(md, name) // the metadata is a copy
			found = true
		}
	}
	if !found {
		return ctx
	}
	return metadata.NewIncomingContext(ctx, md)
}
