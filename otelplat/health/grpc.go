// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// GRPC returns the gRPC health service, version 1. The service "" is the whole, any
// other the check of that name.
func (c *Checks) GRPC() healthpb.HealthServer { return &grpcServer{checks: c} }

type grpcServer struct {
	healthpb.UnimplementedHealthServer
	checks *Checks
}

// serving returns the status of a service, SERVICE_UNKNOWN for one that is not there.
func (r *Report) serving(service string) healthpb.HealthCheckResponse_ServingStatus {
	if service == "" {
		return of(r.Status)
	}
	for i := range r.Checks {
		if r.Checks[i].Name == service {
			return of(r.Checks[i].Status)
		}
	}
	return healthpb.HealthCheckResponse_SERVICE_UNKNOWN
}

func of(s Status) healthpb.HealthCheckResponse_ServingStatus {
	if s.Ready() {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}

// Check implements the health service.
func (g *grpcServer) Check(_ context.Context, in *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	s := g.checks.Report().serving(in.GetService())
	if s == healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	return &healthpb.HealthCheckResponse{Status: s}, nil
}

// List implements the health service.
func (g *grpcServer) List(context.Context, *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	r := g.checks.Report()
	list := map[string]*healthpb.HealthCheckResponse{"": {Status: of(r.Status)}}
	for i := range r.Checks {
		list[r.Checks[i].Name] = &healthpb.HealthCheckResponse{Status: of(r.Checks[i].Status)}
	}
	return &healthpb.HealthListResponse{Statuses: list}, nil
}

// Watch implements the health service: the status now, and whenever it changes. A
// service that is not there yet is SERVICE_UNKNOWN, and the stream stays.
func (g *grpcServer) Watch(in *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	ctx := stream.Context()
	updates := g.checks.Updates(ctx)
	last := healthpb.HealthCheckResponse_ServingStatus(-1)
	for {
		if s := g.checks.Report().serving(in.GetService()); s != last {
			last = s
			if err := stream.Send(&healthpb.HealthCheckResponse{Status: s}); err != nil {
				return err
			}
		}
		if _, more := <-updates; !more {
			if ctx.Err() != nil {
				return status.FromContextError(ctx.Err()).Err()
			}
			return status.Error(codes.Unavailable, "the service ends")
		}
	}
}
