// SPDX-License-Identifier: Apache-2.0

package coord

import (
	"context"
	"fmt"

	"github.com/otelplat/platform/coord/access"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// DeniedError says that etcd does not let this user write a key, and which role does. It
// is [rpctypes.ErrPermissionDenied] too.
type DeniedError struct {
	User string // as this client comes; "" for a certificate's
	Key  string // the first that was to be written
	Role string // etcd's name of the role that writes it
	Give string // the command that gives it, for an operator
}

func (e *DeniedError) Error() string {
	user := "this client's certificate"
	if e.User != "" {
		user = fmt.Sprintf("user %q", e.User)
	}
	return fmt.Sprintf("coord: etcd does not let %s write %s: that takes the role %s, which an operator gives with: %s",
		user, e.Key, e.Role, e.Give)
}

// Unwrap returns etcd's error.
func (e *DeniedError) Unwrap() error { return rpctypes.ErrPermissionDenied }

// GRPCStatus keeps the code for those who look at it.
func (e *DeniedError) GRPCStatus() *status.Status {
	return status.New(codes.PermissionDenied, e.Error())
}

// explainDenied makes a [*DeniedError] of etcd's refusal of a write.
func explainDenied(n access.Namespace, user string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := invoker(ctx, method, req, reply, cc, opts...)
		if status.Code(err) != codes.PermissionDenied {
			return err
		}
		key := written(req)
		if key == "" {
			return err
		}
		short, who := access.Writer(n, key), user
		if who == "" {
			who = "USER"
		}
		return &DeniedError{
			User: user, Key: key, Role: n.RoleName(short),
			Give: fmt.Sprintf("otelplat etcd roles apply%s --grant %s=%s", n.Flags(short), who, short),
		}
	}
}

// written returns the first key that a request writes, "" when it writes none.
func written(req any) string {
	switch r := req.(type) {
	case *etcdserverpb.PutRequest:
		return string(r.Key)
	case *etcdserverpb.DeleteRangeRequest:
		return string(r.Key)
	case *etcdserverpb.TxnRequest:
		for _, ops := range [][]*etcdserverpb.RequestOp{r.Success, r.Failure} {
			for _, op := range ops {
				if p := op.GetRequestPut(); p != nil {
					return string(p.Key)
				}
				if d := op.GetRequestDeleteRange(); d != nil {
					return string(d.Key)
				}
			}
		}
	}
	return ""
}
