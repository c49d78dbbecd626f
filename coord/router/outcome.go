// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/rules"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errorOutcome classes an HTTP attempt that ended without a whole response.
func errorOutcome(ctx context.Context, err error) balance.Outcome {
	// What the caller's context says goes first: an attempt that it ended may fail
	// with anything.
	switch ended := ctx.Err(); {
	case errors.Is(context.Cause(ctx), errOutlasted):
		return balance.Outlasted
	case errors.Is(ended, context.Canceled), errors.Is(err, context.Canceled):
		return balance.Cancelled
	case errors.Is(ended, context.DeadlineExceeded):
		return balance.Timeout
	case dialed(err): // refused, or unreachable, or silent until the dialer's own timeout
		return balance.Refused
	}
	for _, refused := range []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		if errors.Is(err, refused) {
			return balance.Refused
		}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return balance.Timeout
	}
	return balance.Error
}

// dialed reports whether an error is that no connection came about.
func dialed(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}

// outcomeOf classes an HTTP attempt by its response, as the service's document says, with
// the class of the error where the document names it.
func (q *request) outcomeOf(resp *http.Response) (outcome balance.Outcome, speed balance.Speed, class string) {
	class, failed := q.table.HTTPFailure(resp.StatusCode, resp.Header)
	switch {
	case failed:
		return balance.Error, balance.Measured, class
	case resp.StatusCode >= http.StatusBadRequest:
		// It did as it should, but perhaps not the work: what is refused at the door must
		// not look fast.
		return balance.OK, balance.AtLeast, ""
	}
	return balance.OK, balance.Measured, ""
}

// rpcOutcome classes an RPC by its status, as the service's document says; without one the
// codes that are the server's fault are those of OpenTelemetry's semantic conventions for
// server spans. ResourceExhausted is not among them: it is as often the caller's quota as
// the server's state. What is no failure and not OK cannot make an instance look fast.
func rpcOutcome(table *rules.Table, err error, trailers map[string][]string) (outcome balance.Outcome, speed balance.Speed, class string) {
	code := status.Code(err)
	class, failed := table.GRPCFailure(code, trailers)
	switch {
	case code == codes.Canceled:
		return balance.Cancelled, balance.Measured, ""
	case code == codes.DeadlineExceeded:
		return balance.Timeout, balance.Measured, ""
	case failed:
		return balance.Error, balance.Measured, class
	case code != codes.OK:
		return balance.OK, balance.AtLeast, ""
	}
	return balance.OK, balance.Measured, ""
}
