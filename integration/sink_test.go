// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// sink is an OTLP endpoint that keeps what the collector exports: the backend
// that a user of the platform would have. It keeps the newest keepItems of each
// kind.
type sink struct {
	address string

	mu      sync.Mutex
	spans   []sinkSpan
	logs    []sinkLog
	metrics map[string]int     // data points by metric name
	sums    map[string]float64 // the newest value of each sum without attributes, by metric name
}

const keepItems = 50_000

// sinkSpan is a span with the service that it came from.
type sinkSpan struct {
	service string
	*tracepb.Span
}

// sinkLog is a log record with the service that it came from.
type sinkLog struct {
	service string
	*logspb.LogRecord
}

// startSink listens on a free loopback port until the test ends.
func startSink(t testing.TB) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{address: l.Addr().String(), metrics: make(map[string]int), sums: make(map[string]float64)}
	server := grpc.NewServer()
	coltrace.RegisterTraceServiceServer(server, &sinkTraces{sink: s})
	collogs.RegisterLogsServiceServer(server, &sinkLogs{sink: s})
	colmetrics.RegisterMetricsServiceServer(server, &sinkMetrics{sink: s})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return s
}

// findSpans returns the spans for which ok holds, oldest first.
func (s *sink) findSpans(ok func(sinkSpan) bool) []sinkSpan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return filter(s.spans, ok)
}

// findLogs returns the log records for which ok holds, oldest first.
func (s *sink) findLogs(ok func(sinkLog) bool) []sinkLog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return filter(s.logs, ok)
}

// points returns how many data points of a metric arrived.
func (s *sink) points(metric string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.metrics[metric]
}

// sum returns the newest value of a sum without attributes that one instance sends.
func (s *sink) sum(metric string) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sums[metric]
}

func filter[T any](items []T, ok func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(items), func(item T) bool { return !ok(item) })
}

type sinkTraces struct {
	coltrace.UnimplementedTraceServiceServer
	*sink
}

func (s *sinkTraces) Export(_ context.Context, req *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range req.ResourceSpans {
		for _, scope := range r.ScopeSpans {
			for _, span := range scope.Spans {
				s.spans = append(s.spans, sinkSpan{attribute(r.Resource.GetAttributes(), "service.name"), span})
			}
		}
	}
	s.spans = s.spans[max(0, len(s.spans)-keepItems):]
	return &coltrace.ExportTraceServiceResponse{}, nil
}

type sinkLogs struct {
	collogs.UnimplementedLogsServiceServer
	*sink
}

func (s *sinkLogs) Export(_ context.Context, req *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range req.ResourceLogs {
		for _, scope := range r.ScopeLogs {
			for _, record := range scope.LogRecords {
				s.logs = append(s.logs, sinkLog{attribute(r.Resource.GetAttributes(), "service.name"), record})
			}
		}
	}
	s.logs = s.logs[max(0, len(s.logs)-keepItems):]
	return &collogs.ExportLogsServiceResponse{}, nil
}

type sinkMetrics struct {
	colmetrics.UnimplementedMetricsServiceServer
	*sink
}

func (s *sinkMetrics) Export(_ context.Context, req *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range req.ResourceMetrics {
		for _, scope := range r.ScopeMetrics {
			for _, m := range scope.Metrics {
				s.metrics[m.Name]++
				for _, point := range m.GetSum().GetDataPoints() {
					if len(point.Attributes) == 0 {
						s.sums[m.Name] = point.GetAsDouble() + float64(point.GetAsInt())
					}
				}
			}
		}
	}
	return &colmetrics.ExportMetricsServiceResponse{}, nil
}

// attribute returns a string attribute, "" when it is absent.
func attribute(attributes []*commonpb.KeyValue, key string) string {
	for _, kv := range attributes {
		if kv.Key == key {
			return kv.Value.GetStringValue()
		}
	}
	return ""
}
