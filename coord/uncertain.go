// SPDX-License-Identifier: Apache-2.0

package coord

import (
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Uncertain reports whether a write that failed with this error may have been applied:
// whatever etcd did not refuse outright.
func Uncertain(err error) bool {
	var refused rpctypes.EtcdError
	if errors.As(err, &refused) {
		switch refused.Code() {
		case codes.Unavailable, codes.DeadlineExceeded, codes.Unknown, codes.Canceled:
			return true
		}
		return false
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.ResourceExhausted,
		codes.FailedPrecondition, codes.NotFound, codes.OutOfRange, codes.Unimplemented:
		return false
	}
	return true
}
