// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"
	"net"
	"testing"

	"github.com/otelplat/platform/otelplat/health"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// serve serves the checks over gRPC in memory.
func serve(t *testing.T, c *health.Checks) healthpb.HealthClient {
	l := bufconn.Listen(1 << 16)
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, c.GRPC())
	go func() { _ = s.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
	})
	return healthpb.NewHealthClient(conn)
}

func TestGRPC(t *testing.T) {
	c := open(t)
	client := serve(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	want := func(stream healthpb.Health_WatchClient, want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if r, err := stream.Recv(); err != nil || r.GetStatus() != want {
			t.Fatalf("watch: %v, %v; want %v", r.GetStatus(), err, want)
		}
	}
	one, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: "one"})
	if err != nil {
		t.Fatal(err)
	}
	want(one, healthpb.HealthCheckResponse_SERVICE_UNKNOWN) // at once, and the stream stays
	whole, err := client.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want(whole, healthpb.HealthCheckResponse_SERVING)
	if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: "one"}); status.Code(err) != codes.NotFound {
		t.Errorf("check of what is not there: %v", err)
	}
	release := make(chan struct{})
	add(t, c, "one", func(context.Context) error {
		<-release
		return nil
	})
	want(one, healthpb.HealthCheckResponse_NOT_SERVING)
	want(whole, healthpb.HealthCheckResponse_NOT_SERVING)
	close(release)
	want(one, healthpb.HealthCheckResponse_SERVING)
	want(whole, healthpb.HealthCheckResponse_SERVING)
	if r, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: "one"}); err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("check: %v, %v", r, err)
	}
	c.Drain()
	want(whole, healthpb.HealthCheckResponse_NOT_SERVING)
	list, err := client.List(ctx, &healthpb.HealthListRequest{})
	if err != nil || len(list.GetStatuses()) != 2 || list.GetStatuses()["one"].GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("list: %v, %v", list, err)
	}
}
