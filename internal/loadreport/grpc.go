// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"context"

	orcapb "github.com/cncf/xds/go/xds/data/orca/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	service = "otelplat.load.v1.Load"

	// Method is the full name of the unary method that answers a probe: of
	// google.protobuf.Empty with xds.data.orca.v3.OrcaLoadReport.
	Method = "/" + service + "/Report"
)

// Reporter is the gRPC service: a [*Server].
type Reporter interface{ Report() Report }

// desc is written by hand because its messages are well known: there is nothing to
// generate.
var desc = grpc.ServiceDesc{
	ServiceName: service,
	HandlerType: (*Reporter)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Report",
		Handler: func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
			in := new(emptypb.Empty)
			if err := decode(in); err != nil {
				return nil, err
			}
			answer := func(context.Context, any) (any, error) { return srv.(Reporter).Report().Proto(), nil }
			if intercept == nil {
				return answer(ctx, in)
			}
			return intercept(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: Method}, answer)
		},
	}},
}

// Register registers the probe service on a gRPC server.
func Register(s grpc.ServiceRegistrar, r Reporter) { s.RegisterService(&desc, r) }

// AskGRPC asks a server for its load, once. It returns [ErrNotOffered] when the server does
// not have the method or guards it; a gRPC status or a [*ValueError] otherwise.
func AskGRPC(ctx context.Context, cc grpc.ClientConnInterface) (Report, error) {
	out := new(orcapb.OrcaLoadReport)
	if err := cc.Invoke(ctx, Method, new(emptypb.Empty), out, grpc.MaxCallRecvMsgSize(maxMessage)); err != nil {
		switch status.Code(err) {
		case codes.Unimplemented, codes.Unauthenticated, codes.PermissionDenied:
			return nothing, ErrNotOffered
		}
		return nothing, err
	}
	return FromProto(out)
}

// maxMessage bounds the answer to a probe: other servers' metrics may be many.
const maxMessage = 16 << 10
