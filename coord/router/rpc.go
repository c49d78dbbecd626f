// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/rules"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// rpcCall is an RPC.
type rpcCall struct {
	request
	streams bool
	sent    atomic.Bool            // an instance was chosen for an attempt
	class   atomic.Pointer[string] // of the last attempt's error
}

type callKey struct{}

// callOf returns the RPC that a picker chooses for. One that came by no interceptor of ours
// is routed as the service's defaults say.
func callOf(ctx context.Context, s *service) *rpcCall {
	if c, ok := ctx.Value(callKey{}).(*rpcCall); ok && c.service == s {
		return c
	}
	c := &rpcCall{}
	c.service, c.table, c.once = s, s.table.Load(), true
	c.decision.Settings = c.table.Settings()
	return c
}

// newCall decides on an RPC. It returns nil for a connection that is not the router's.
func (r *Router) newCall(ctx context.Context, cc *grpc.ClientConn, method string) (*rpcCall, error) {
	name, ours := strings.CutPrefix(cc.Target(), Scheme+":///")
	if !ours {
		return nil, nil
	}
	s, err := r.service(name)
	if err != nil {
		return nil, err
	}
	c := &rpcCall{}
	c.rules = rules.Request{GRPC: method, Caller: r.labels, Claims: claimsOf(ctx)}
	if s.table.Load().ReadsHeaders() {
		c.rules.Header, _ = metadata.FromOutgoingContext(ctx) // a copy: not made for nothing
	}
	if err := s.decide(&c.request); err != nil {
		return nil, err
	}
	return c, nil
}

// unary is the interceptor of unary RPCs.
func (r *Router) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	c, err := r.newCall(ctx, cc, method)
	if err != nil {
		return &refusedRPC{err}
	}
	if c == nil {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	ctx = context.WithValue(ctx, callKey{}, c)
	if bound := c.decision.Settings.Timeout; bound > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, bound)
		defer cancel()
	}
	message, isProto := reply.(proto.Message)
	hedged := c.decision.Settings.Hedge.Max > 0
	if hedged && (!isProto || receives(opts)) {
		d := c.decision
		settings := *d.Settings
		settings.Hedge.Max = 0 // two attempts cannot write to one place
		c.decision.Settings, hedged = &settings, false
	}
	answer := run(ctx, &c.request, func(ctx context.Context, cancel context.CancelFunc) ending[rpcAnswer] {
		if cancel != nil {
			defer cancel()
		}
		to := reply
		if hedged {
			to = message.ProtoReflect().New().Interface()
		}
		c.sent.Store(false)
		err := invoke(ctx, method, req, to, cc, opts...)
		return ending[rpcAnswer]{rpcAnswer{to, err}, c.causeOf(ctx, err)}
	}, func(rpcAnswer) {})
	if hedged && answer.err == nil {
		proto.Reset(message)
		proto.Merge(message, answer.reply.(proto.Message))
	}
	return answer.err
}

// rpcAnswer is what an attempt brought.
type rpcAnswer struct {
	reply any
	err   error
}

// causeOf says why an attempt might be repeated, "" that it must not.
func (c *rpcCall) causeOf(ctx context.Context, err error) string {
	if err == nil || !c.sent.Load() || errors.Is(ctx.Err(), context.Canceled) {
		return ""
	}
	outcome, _, _ := rpcOutcome(c.table, err, nil)
	if class := c.class.Swap(nil); class != nil {
		return *class
	}
	switch {
	case status.Code(err) == codes.Unavailable:
		return rules.Unavailable
	case outcome == balance.Timeout:
		return rules.Timeout
	case outcome == balance.Error:
		return rules.Failed
	}
	return ""
}

// receives reports whether the caller wants more of the call than its reply.
func receives(opts []grpc.CallOption) bool {
	for _, o := range opts {
		switch o.(type) {
		case grpc.HeaderCallOption, grpc.TrailerCallOption, grpc.PeerCallOption, grpc.OnFinishCallOption:
			return true
		}
	}
	return false
}

// stream is the interceptor of streaming RPCs.
func (r *Router) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	c, err := r.newCall(ctx, cc, method)
	if err != nil {
		return nil, &refusedRPC{err}
	}
	if c != nil {
		c.streams, c.once = true, true
		ctx = context.WithValue(ctx, callKey{}, c)
	}
	return next(ctx, desc, cc, method, opts...)
}

// refusedRPC is why an RPC was not sent, with the status that gRPC's callers ask for.
type refusedRPC struct{ err error }

func (e *refusedRPC) Error() string { return e.GRPCStatus().Err().Error() }

func (e *refusedRPC) Unwrap() error { return e.err }

// GRPCStatus makes it a gRPC error.
func (e *refusedRPC) GRPCStatus() *status.Status { return status.New(codes.Unavailable, e.err.Error()) }
