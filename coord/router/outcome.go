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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errorOutcome classes an HTTP attempt that ended without a whole response.
func errorOutcome(ctx context.Context, err error) balance.Outcome {
	// What the caller's context says goes first: an attempt that it ended may fail
	// with anything.
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.Canceled), errors.Is(err, context.Canceled):
		return balance.Cancelled
	case errors.Is(ended, context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return balance.Timeout
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return balance.Refused // or unreachable, or silent until the dialer's own timeout
	}
	for _, refused := range []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		if errors.Is(err, refused) {
			return balance.Refused
		}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) {
		return balance.Timeout
	}
	return balance.Error
}

// statusOutcome classes an HTTP attempt by the response's status.
func statusOutcome(status int) (balance.Outcome, balance.Speed) {
	switch {
	case status >= http.StatusInternalServerError:
		return balance.Error, balance.Measured
	case status == http.StatusTooManyRequests:
		return balance.OK, balance.AtLeast // it did as it should, but not the work
	}
	return balance.OK, balance.Measured
}

// rpcOutcome classes an RPC by its status. The codes that are the server's fault are
// those of OpenTelemetry's semantic conventions for server spans. ResourceExhausted
// is not among them: it is as often the caller's quota as the server's state; it
// cannot make an instance look fast.
func rpcOutcome(err error) (balance.Outcome, balance.Speed) {
	switch status.Code(err) {
	case codes.Canceled:
		return balance.Cancelled, balance.Measured
	case codes.DeadlineExceeded:
		return balance.Timeout, balance.Measured
	case codes.Unknown, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return balance.Error, balance.Measured
	case codes.ResourceExhausted:
		return balance.OK, balance.AtLeast
	default:
		return balance.OK, balance.Measured
	}
}
