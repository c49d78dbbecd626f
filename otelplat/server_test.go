// SPDX-License-Identifier: Apache-2.0

package otelplat_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/semconv"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// all returns the sum of every point of a counter that arrived so far.
func (c *collector) all(name string) (sum float64, points []*metricspb.NumberDataPoint) {
	c.see(func() {
		for _, m := range c.history {
			if m.Name != name {
				continue
			}
			for _, dp := range m.GetSum().GetDataPoints() {
				points = append(points, dp)
				sum += dp.GetAsDouble() + float64(dp.GetAsInt())
			}
		}
	})
	return sum, points
}

func TestAServerReportsWhatItDidOnTheSignalMeter(t *testing.T) {
	c := newCollector(t, "grpc")
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	tel := start(t, otelplat.WithSignalInterval(100*time.Millisecond))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(tel.GRPCServerOptions()...)
	grpc_health_v1.RegisterHealthServer(g, health.NewServer())
	go g.Serve(l)
	defer g.Stop()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	release := make(chan struct{})
	web := httptest.NewServer(tel.HTTPHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
	}), "front"))
	defer web.Close()
	for range 3 {
		resp, err := http.Get(web.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for range 2 {
		if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		if resp, err := http.Get(web.URL + "/slow"); err == nil {
			resp.Body.Close()
		}
	}()
	eventually(t, func() bool { n, _ := c.all(semconv.ServerRequests); return n == 5 }, "three requests and two calls are reported")
	eventually(t, func() bool { s, _ := c.all(semconv.ServerTime); return s > 0.3 }, "a request that has not ended counts while it is under way")
	close(release)
	eventually(t, func() bool { n, _ := c.all(semconv.ServerRequests); return n == 6 }, "and is completed when it ends")

	cpu, points := c.all("process.cpu.time")
	if cpu <= 0 || cpu > 60 {
		t.Errorf("%g s of CPU time", cpu)
	}
	modes := make(map[string]bool)
	for _, dp := range points {
		modes[dp.Attributes[0].Value.GetStringValue()] = true
		if dp.TimeUnixNano <= dp.StartTimeUnixNano {
			t.Error("a point that covers no time")
		}
	}
	if !modes["user"] || !modes["system"] {
		t.Errorf("modes %v", modes)
	}
	if n, _ := c.all("go.processor.limit"); n < 1 {
		t.Error("the allocation is not reported")
	}
}

func TestAProcessWithoutServersReportsNothing(t *testing.T) {
	c := newCollector(t, "grpc")
	tel := start(t, otelplat.WithSignalInterval(50*time.Millisecond))
	counter, err := tel.SignalMeter().Meter("test").Int64Counter("n")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 1)
	eventually(t, func() bool { return c.metric("n") != nil }, "the signal meter exports")
	if c.metric("process.cpu.time") != nil {
		t.Error("CPU time of a process that serves nobody")
	}
}
