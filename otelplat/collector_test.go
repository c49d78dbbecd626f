// SPDX-License-Identifier: Apache-2.0

package otelplat_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP endpoint, over gRPC or HTTP, that keeps what it gets.
type collector struct {
	endpoint string

	mu        sync.Mutex
	spans     []*tracepb.Span
	logs      []*logspb.LogRecord
	metrics   map[string]*metricspb.Metric // the newest of each name
	history   []*metricspb.Metric          // all
	resources []*resourcepb.Resource
	auth      map[string][]string // signal to the authorization headers seen
	requests  int
}

func newCollector(t *testing.T, protocol string) *collector {
	t.Helper()
	c := &collector{metrics: make(map[string]*metricspb.Metric), auth: make(map[string][]string)}
	if protocol == "grpc" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer()
		coltrace.RegisterTraceServiceServer(s, &traceService{c: c})
		collogs.RegisterLogsServiceServer(s, &logsService{c: c})
		colmetrics.RegisterMetricsServiceServer(s, &metricsService{c: c})
		go s.Serve(l)
		t.Cleanup(s.Stop)
		c.endpoint = "http://" + l.Addr().String()
	} else {
		s := httptest.NewServer(c)
		t.Cleanup(s.Close)
		c.endpoint = s.URL
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.endpoint)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	signal := strings.TrimPrefix(r.URL.Path, "/v1/")
	var req proto.Message
	switch signal {
	case "traces":
		req = &coltrace.ExportTraceServiceRequest{}
	case "logs":
		req = &collogs.ExportLogsServiceRequest{}
	default:
		req = &colmetrics.ExportMetricsServiceRequest{}
	}
	if err := proto.Unmarshal(raw, req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.take(signal, r.Header.Get("Authorization"), req)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *collector) take(signal, authorization string, req proto.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.auth[signal] = append(c.auth[signal], authorization)
	switch req := req.(type) {
	case *coltrace.ExportTraceServiceRequest:
		for _, r := range req.ResourceSpans {
			c.resources = append(c.resources, r.Resource)
			for _, s := range r.ScopeSpans {
				c.spans = append(c.spans, s.Spans...)
			}
		}
	case *collogs.ExportLogsServiceRequest:
		for _, r := range req.ResourceLogs {
			for _, s := range r.ScopeLogs {
				c.logs = append(c.logs, s.LogRecords...)
			}
		}
	case *colmetrics.ExportMetricsServiceRequest:
		for _, r := range req.ResourceMetrics {
			for _, s := range r.ScopeMetrics {
				for _, m := range s.Metrics {
					c.metrics[m.Name] = m
					c.history = append(c.history, m)
				}
			}
		}
	}
}

// see runs f while nothing arrives.
func (c *collector) see(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *collector) metric(name string) *metricspb.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.metrics[name]
}

func (c *collector) lastAuth(signal string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seen := c.auth[signal]; len(seen) > 0 {
		return seen[len(seen)-1]
	}
	return "nothing arrived"
}

func authorization(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	return strings.Join(md.Get("authorization"), ",")
}

type traceService struct {
	coltrace.UnimplementedTraceServiceServer
	c *collector
}

func (s *traceService) Export(ctx context.Context, r *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	s.c.take("traces", authorization(ctx), r)
	return &coltrace.ExportTraceServiceResponse{}, nil
}

type logsService struct {
	collogs.UnimplementedLogsServiceServer
	c *collector
}

func (s *logsService) Export(ctx context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	s.c.take("logs", authorization(ctx), r)
	return &collogs.ExportLogsServiceResponse{}, nil
}

type metricsService struct {
	colmetrics.UnimplementedMetricsServiceServer
	c *collector
}

func (s *metricsService) Export(ctx context.Context, r *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	s.c.take("metrics", authorization(ctx), r)
	return &colmetrics.ExportMetricsServiceResponse{}, nil
}

// eventually waits until ok holds.
func eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		case <-tick.C:
		}
	}
}
