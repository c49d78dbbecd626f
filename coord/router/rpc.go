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
}

// rpcAttempt is one attempt of an RPC. Its context carries it to the picker, which gRPC may
// ask more than once: until a connection takes the request.
type rpcAttempt struct {
	call  *rpcCall
	hedge bool

	picked  atomic.Bool            // an instance was chosen
	unseen  atomic.Bool            // nothing was sent to the one that was
	class   atomic.Pointer[string] // of its error
	refused atomic.Pointer[error]  // why none was chosen
}

type attemptKey struct{}

func (a *rpcAttempt) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// attemptOf returns the attempt that a picker chooses for. An RPC that came by no interceptor
// of ours is routed as the service's defaults say.
func attemptOf(ctx context.Context, s *service) *rpcAttempt {
	if a, ok := ctx.Value(attemptKey{}).(*rpcAttempt); ok && a.call.service == s {
		return a
	}
	c := &rpcCall{}
	c.service, c.table, c.once = s, s.table.Load(), true
	c.decision.Settings = c.table.Settings()
	return &rpcAttempt{call: c}
}

// serviceOf returns the service that a channel is for, false when it is not the router's.
func serviceOf(cc *grpc.ClientConn) (string, bool) {
	rest, ours := strings.CutPrefix(cc.Target(), Scheme+"://")
	_, name, ok := strings.Cut(rest, "/")
	return name, ours && ok
}

// newCall decides on an RPC. It returns nil for a channel that is not the router's.
func (r *Router) newCall(ctx context.Context, cc *grpc.ClientConn, method string) (*rpcCall, error) {
	name, ours := serviceOf(cc)
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
		return refusedRPC(err, codes.Unavailable, err.Error())
	}
	if c == nil {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	if bound := c.decision.Settings.Timeout; bound > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, bound)
		defer cancel()
	}
	u := &unaryCall{rpcCall: c, method: method, req: req, reply: reply, cc: cc, invoke: invoke, opts: opts}
	message, isProto := reply.(proto.Message)
	if after := c.hedgeAfter(); after > 0 && isProto && !receives(opts) {
		u.message = message
		// The caller may change its request once it has the reply: nobody reads it then.
		answer := runHedged(ctx, &c.request, after, u, true)
		if answer.err == nil {
			proto.Reset(message)
			proto.Merge(message, answer.reply)
		}
		return answer.err
	}
	return run(ctx, &c.request, u).err
}

// unaryCall is a unary RPC with what it takes to make it.
type unaryCall struct {
	*rpcCall
	method     string
	req, reply any
	message    proto.Message // the reply, when each attempt needs one of its own
	cc         *grpc.ClientConn
	invoke     grpc.UnaryInvoker
	opts       []grpc.CallOption
}

// rpcAnswer is what an attempt brought.
type rpcAnswer struct {
	reply proto.Message // when it has its own
	err   error
}

// try implements [sender].
func (u *unaryCall) try(ctx context.Context, cancel context.CancelFunc, hedge bool) ending[rpcAnswer] {
	if cancel != nil {
		defer cancel()
	}
	var answer rpcAnswer
	to := u.reply
	if u.message != nil {
		answer.reply = u.message.ProtoReflect().New().Interface()
		to = answer.reply
	}
	a := &rpcAttempt{call: u.rpcCall, hedge: hedge}
	err := u.invoke(a.in(ctx), u.method, u.req, to, u.cc, u.opts...)
	answer.err = a.explain(err)
	e := ending[rpcAnswer]{result: answer, unsent: hedge && err != nil && !a.picked.Load()}
	e.cause, e.class = a.causeOf(ctx, err)
	return e
}

// discard implements [sender].
func (*unaryCall) discard(rpcAnswer) {}

// causeOf says why an attempt might be repeated, "" that it must not.
func (a *rpcAttempt) causeOf(ctx context.Context, err error) (cause, class string) {
	if err == nil || !a.picked.Load() || errors.Is(ctx.Err(), context.Canceled) {
		return "", ""
	}
	if c := a.class.Load(); c != nil {
		class = *c
	}
	outcome, _, _ := rpcOutcome(a.call.table, err, nil)
	switch {
	case outcome == balance.Cancelled:
		return "", ""
	case outcome == balance.Timeout:
		return rules.Timeout, class
	case a.unseen.Load():
		return rules.Refused, class
	case status.Code(err) == codes.Unavailable:
		return rules.Unavailable, class
	case outcome == balance.Error || class != "":
		return rules.Failed, class
	}
	return "", ""
}

// explain makes an RPC's error say why nobody was chosen for it, for callers that ask it.
func (a *rpcAttempt) explain(err error) error {
	why := a.refused.Load()
	if err == nil || why == nil || a.picked.Load() {
		return err
	}
	return refusedRPC(*why, status.Code(err), status.Convert(err).Message())
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
		return nil, refusedRPC(err, codes.Unavailable, err.Error())
	}
	if c == nil {
		return next(ctx, desc, cc, method, opts...)
	}
	c.streams, c.once = true, true
	a := &rpcAttempt{call: c}
	s, err := next(a.in(ctx), desc, cc, method, opts...)
	return s, a.explain(err)
}

// refusedError is why an RPC was not sent, with the status that gRPC's callers ask for.
type refusedError struct {
	status *status.Status
	err    error
}

func refusedRPC(err error, code codes.Code, message string) error {
	return &refusedError{status.New(code, message), err}
}

func (e *refusedError) Error() string { return e.status.Err().Error() }

func (e *refusedError) Unwrap() error { return e.err }

// GRPCStatus makes it a gRPC error.
func (e *refusedError) GRPCStatus() *status.Status { return e.status }
