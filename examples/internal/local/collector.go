// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector takes OTLP over HTTP and keeps spans, log records and metrics, so that an
// example can show what left the program.
type Collector struct {
	mu      sync.Mutex
	spans   []*trace.Span
	logs    []*logs.LogRecord
	metrics map[string]*metrics.Metric // the last of each name
}

// StartCollector starts a collector and points this process's exporters at it, as
// OTEL_EXPORTER_OTLP_ENDPOINT does in a deployment.
func StartCollector(ctx context.Context) (c *Collector, stop func(), err error) {
	c = &Collector{metrics: make(map[string]*metrics.Metric)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		var request coltrace.ExportTraceServiceRequest
		if !read(w, r, &request) {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	})
	mux.HandleFunc("POST /v1/logs", func(w http.ResponseWriter, r *http.Request) {
		var request collogs.ExportLogsServiceRequest
		if !read(w, r, &request) {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.ResourceLogs {
			for _, scope := range resource.ScopeLogs {
				c.logs = append(c.logs, scope.LogRecords...)
			}
		}
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, r *http.Request) {
		var request colmetrics.ExportMetricsServiceRequest
		if !read(w, r, &request) {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.ResourceMetrics {
			for _, scope := range resource.ScopeMetrics {
				for _, m := range scope.Metrics {
					c.metrics[m.Name] = m // sums are cumulative: the last one says it all
				}
			}
		}
	})
	address, end, err := Serve(ctx, mux)
	if err != nil {
		return nil, nil, err
	}
	const variable = "OTEL_EXPORTER_OTLP_ENDPOINT"
	before, had := os.LookupEnv(variable)
	if err := os.Setenv(variable, "http://"+address); err != nil {
		end()
		return nil, nil, err
	}
	return c, func() {
		end()
		if had {
			_ = os.Setenv(variable, before) // it held this value before
		} else {
			_ = os.Unsetenv(variable) // cannot fail for a name that Setenv took
		}
	}, nil
}

// maxRequest is more than the SDK's batches of 512 items make.
const maxRequest = 4 << 20

func read(w http.ResponseWriter, r *http.Request, request proto.Message) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err == nil {
		err = proto.Unmarshal(body, request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// PrintSpans prints the spans that have arrived as the trees that they are.
func (c *Collector) PrintSpans(w io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.spans, func(a, b *trace.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	fmt.Fprintf(w, "%d spans arrived:\n", len(c.spans))
	c.printBelow(w, nil, "")
}

func (c *Collector) printBelow(w io.Writer, parent []byte, indent string) {
	for _, s := range c.spans {
		if bytes.Equal(s.ParentSpanId, parent) {
			kind := strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"))
			fmt.Fprintf(w, "%s%s (%s)\n", indent, s.Name, kind)
			c.printBelow(w, s.SpanId, indent+"  ")
		}
	}
}

// Logs returns the log records that have arrived.
func (c *Collector) Logs() []*logs.LogRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.logs)
}

// Metrics returns what was exported last of each metric, a line for each series, in
// order.
func (c *Collector) Metrics() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, m := range c.metrics {
		for _, p := range slices.Concat(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()) {
			series := []string{m.Name}
			for _, a := range p.Attributes {
				series = append(series, a.Key+"="+a.Value.GetStringValue())
			}
			lines = append(lines, fmt.Sprintf("%s: %g", strings.Join(series, " "), p.GetAsDouble()+float64(p.GetAsInt())))
		}
		for _, p := range m.GetExponentialHistogram().GetDataPoints() {
			lines = append(lines, fmt.Sprintf("%s: %d measurements, %.2f %s in all", m.Name, p.Count, p.GetSum(), m.Unit))
		}
	}
	slices.Sort(lines)
	return lines
}
