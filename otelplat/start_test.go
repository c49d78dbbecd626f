// SPDX-License-Identifier: Apache-2.0

package otelplat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/metrics"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func TestMain(m *testing.M) {
	// After a Shutdown whose deadline passed, the SDK's processors try to export
	// what is queued, each batch until its time-out.
	code := m.Run()
	if code == 0 {
		deadline := time.Now().Add(30 * time.Second)
		err := goleak.Find()
		for ; err != nil && time.Now().Before(deadline); err = goleak.Find() {
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var protocols = []string{"grpc", "http/protobuf"}

// safeBuffer is a console that a test reads while handlers write to it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func start(t *testing.T, opts ...otelplat.Option) *otelplat.Telemetry {
	t.Helper()
	opts = append([]otelplat.Option{otelplat.WithServiceName("test"), otelplat.WithConsole(io.Discard), otelplat.WithoutRuntimeMetrics()}, opts...)
	tel, err := otelplat.Start(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(tel, 5*time.Second) })
	return tel
}

func shutdown(tel *otelplat.Telemetry, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return tel.Shutdown(ctx)
}

func TestAllThreeSignalsArriveWithTheResource(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := newCollector(t, protocol)
			console := &safeBuffer{}
			tel := start(t, otelplat.WithServiceVersion("1.2"), otelplat.WithInstanceID("i-1"), otelplat.WithConsole(console))
			ctx, span := otel.Tracer("test").Start(t.Context(), "work")
			slog.InfoContext(ctx, "inside", "k", "v")
			counter, err := otel.Meter("test").Int64Counter("things")
			if err != nil {
				t.Fatal(err)
			}
			counter.Add(ctx, 3)
			span.End()
			if err := shutdown(tel, 10*time.Second); err != nil {
				t.Fatal(err)
			}
			id := span.SpanContext().TraceID()
			c.see(func() {
				if len(c.spans) != 1 || c.spans[0].Name != "work" {
					t.Errorf("spans %v", c.spans)
				}
				if len(c.logs) != 1 || c.logs[0].Body.GetStringValue() != "inside" || !bytes.Equal(c.logs[0].TraceId, id[:]) {
					t.Errorf("logs %v", c.logs)
				}
				if c.metrics["things"] == nil {
					t.Error("no metric")
				}
				attrs := make(map[string]string)
				for _, kv := range c.resources[0].Attributes {
					attrs[kv.Key] = kv.Value.GetStringValue()
				}
				if attrs["service.name"] != "test" || attrs["service.version"] != "1.2" || attrs["service.instance.id"] != "i-1" || attrs["telemetry.sdk.language"] != "go" {
					t.Errorf("resource %v", attrs)
				}
				if _, leak := attrs["process.command_args"]; leak {
					t.Error("the command line left the process")
				}
			})
			if !strings.Contains(console.String(), id.String()) {
				t.Errorf("the console line has no trace id: %s", console.String())
			}
		})
	}
}

func TestASetsMetricsLeaveWithTheServices(t *testing.T) {
	c := newCollector(t, "grpc")
	set := metrics.NewSet()
	metrics.Must(set.Counter("shop.orders.placed")).Add(3)
	metrics.Must(set.Histogram("shop.order.value", metrics.WithUnit("s"))).Record(1)
	scrape, err := metrics.NewScrape(set)
	if err != nil {
		t.Fatal(err)
	}
	tel, err := otelplat.Start(t.Context(), otelplat.WithServiceName("orders"), otelplat.WithoutGlobals(), otelplat.WithoutRuntimeMetrics(),
		otelplat.WithMetricProducer(set), otelplat.WithMetricReader(scrape.Reader()))
	if err != nil {
		t.Fatal(err)
	}
	own, err := tel.MeterProvider().Meter("m").Int64Counter("own")
	if err != nil {
		t.Fatal(err)
	}
	own.Add(t.Context(), 1)
	w := httptest.NewRecorder()
	scrape.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{"shop_orders_placed_total 3", `own_total{otel_scope_name="m"`, `target_info{`, `service_name="orders"`} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("/metrics lacks %s:\n%s", line, w.Body)
		}
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	placed, value := c.metrics["shop.orders.placed"], c.metrics["shop.order.value"]
	if p := placed.GetSum().GetDataPoints(); len(p) != 1 || p[0].GetAsInt() != 3 || !placed.GetSum().GetIsMonotonic() {
		t.Errorf("%v", placed)
	}
	if p := value.GetExponentialHistogram().GetDataPoints(); len(p) != 1 || p[0].GetCount() != 1 || p[0].GetScale() != 3 {
		t.Errorf("%v", value)
	}
}

func TestTheRoutersMeasurementsAreDeltaAndExponential(t *testing.T) {
	c := newCollector(t, "grpc")
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
	tel := start(t, otelplat.WithSignalInterval(100*time.Millisecond))
	h, err := tel.SignalMeter().Meter("test").Float64Histogram("d")
	if err != nil {
		t.Fatal(err)
	}
	h.Record(t.Context(), 0.01)
	eventually(t, func() bool { return c.metric("d") != nil }, "the measurement arrives though metrics go nowhere")
	hist := c.metric("d").GetExponentialHistogram()
	if hist == nil || hist.AggregationTemporality != metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA {
		t.Fatalf("got %v", c.metric("d"))
	}
	if scale := hist.DataPoints[0].Scale; scale > 3 {
		t.Errorf("scale %d, want at most 3", scale)
	}
}

func TestADisabledSDKDoesNothing(t *testing.T) {
	c := newCollector(t, "grpc")
	t.Setenv("OTEL_SDK_DISABLED", "TRUE")
	tel := start(t)
	_, span := otel.Tracer("test").Start(t.Context(), "work")
	if span.IsRecording() || tel.LoggerProvider() == nil {
		t.Error("a disabled SDK records")
	}
	slog.Info("to the console only")
	if err := shutdown(tel, time.Second); err != nil {
		t.Fatal(err)
	}
	c.see(func() {
		if c.requests != 0 {
			t.Errorf("%d exports", c.requests)
		}
	})
}

func TestVariablesThatTheSDKLeavesOut(t *testing.T) {
	t.Run("an exporter can be none", func(t *testing.T) {
		c := newCollector(t, "grpc")
		t.Setenv("OTEL_TRACES_EXPORTER", "none")
		t.Setenv("OTEL_LOGS_EXPORTER", "none")
		t.Setenv("OTEL_METRICS_EXPORTER", "none")
		tel := start(t)
		ctx, span := otel.Tracer("test").Start(t.Context(), "work")
		slog.InfoContext(ctx, "x")
		span.End()
		if err := shutdown(tel, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		c.see(func() {
			if len(c.spans)+len(c.logs)+len(c.metrics) > 0 {
				t.Errorf("exported %d spans, %d logs, %d metrics", len(c.spans), len(c.logs), len(c.metrics))
			}
		})
	})
	t.Run("an exporter can be the console, beside otlp", func(t *testing.T) {
		c := newCollector(t, "grpc")
		t.Setenv("OTEL_TRACES_EXPORTER", "console, otlp")
		console := &safeBuffer{}
		tel := start(t, otelplat.WithConsole(console))
		_, span := otel.Tracer("test").Start(t.Context(), "work")
		span.End()
		if err := shutdown(tel, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(console.String(), `"Name":"work"`) {
			t.Errorf("console: %s", console.String())
		}
		c.see(func() {
			if len(c.spans) != 1 {
				t.Errorf("%d spans over OTLP", len(c.spans))
			}
		})
	})
	t.Run("propagators", func(t *testing.T) {
		newCollector(t, "grpc")
		t.Setenv("OTEL_PROPAGATORS", "b3")
		tel := start(t)
		ctx, span := otel.Tracer("test").Start(t.Context(), "work")
		defer span.End()
		carrier := propagation.MapCarrier{}
		tel.Propagator().Inject(ctx, carrier)
		if carrier["b3"] == "" || carrier["traceparent"] != "" {
			t.Errorf("carrier %v", carrier)
		}
	})
	t.Run("the log level, for both ways", func(t *testing.T) {
		c := newCollector(t, "grpc")
		t.Setenv("OTEL_LOG_LEVEL", "warn")
		console := &safeBuffer{}
		tel := start(t, otelplat.WithConsole(console))
		slog.Info("quiet")
		slog.Warn("loud")
		tel.SetLevel(slog.LevelDebug)
		slog.Debug("later")
		if err := shutdown(tel, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if s := console.String(); strings.Contains(s, "quiet") || !strings.Contains(s, "loud") || !strings.Contains(s, "later") {
			t.Errorf("console: %s", s)
		}
		c.see(func() {
			if len(c.logs) != 2 {
				t.Errorf("%d log records over OTLP, want 2", len(c.logs))
			}
		})
	})
}

func TestBadVariablesAreNamed(t *testing.T) {
	for variable, value := range map[string]string{
		"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_METRICS_EXPORTER": "statsd", "OTEL_LOGS_EXPORTER": "x",
		"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "x", "OTEL_LOG_LEVEL": "loud",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			_, err := otelplat.Start(t.Context())
			if e, ok := errors.AsType[*otelplat.EnvironmentError](err); !ok || e.Variable != variable || e.Value != value {
				t.Fatalf("got %v", err)
			}
		})
	}
	start(t) // what failed did not keep the globals
}

func TestTheGlobalsBelongToOne(t *testing.T) {
	newCollector(t, "grpc")
	before := slog.Default()
	tel := start(t)
	if _, err := otelplat.Start(t.Context()); !errors.Is(err, otelplat.ErrStarted) {
		t.Errorf("a second Start: %v", err)
	}
	start(t, otelplat.WithoutGlobals())
	if slog.Default() != tel.Logger() {
		t.Error("slog's default is another")
	}
	if err := shutdown(tel, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if slog.Default() != before {
		t.Error("slog's default was not given back")
	}
	start(t)
}

func TestTheTokenFollowsItsFile(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := newCollector(t, protocol)
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20fixed")
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
			t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "50")
			t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
			file := filepath.Join(t.TempDir(), "token")
			write := func(token string) {
				next := file + ".next"
				if err := os.WriteFile(next, []byte(token+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(next, file); err != nil {
					t.Fatal(err)
				}
			}
			write("first")
			t.Setenv("OTELPLAT_TOKEN_FILE", file)
			start(t, otelplat.WithSignalInterval(100*time.Millisecond))
			all := func(want string) func() bool {
				return func() bool {
					ctx, span := otel.Tracer("test").Start(t.Context(), "work")
					slog.InfoContext(ctx, "x")
					span.End()
					if counter, err := otel.Meter("test").Int64Counter("c"); err == nil {
						counter.Add(ctx, 1)
					}
					for _, signal := range []string{"traces", "logs", "metrics"} {
						if !strings.HasSuffix(c.lastAuth(signal), want) {
							return false
						}
					}
					return true
				}
			}
			eventually(t, all("Bearer first"), "every exporter sends the token")
			write("second")
			eventually(t, all("Bearer second"), "every exporter sends the rotated token")
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			eventually(t, all("Bearer second"), "a file that vanished leaves the last token")
		})
	}
}

func TestACollectorThatIsAwayNeitherBlocksNorFails(t *testing.T) {
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // accepts, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	for name, endpoint := range map[string]string{"refuses": "http://127.0.0.1:1", "hangs": "http://" + hanging.Addr().String()} {
		for _, protocol := range protocols {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
				t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100") // ms: what goes on after Shutdown's deadline
				t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
				began := time.Now()
				tel := start(t)
				if took := time.Since(began); took > 500*time.Millisecond {
					t.Errorf("Start took %v, promised 100 ms", took)
				} else {
					t.Logf("Start took %v", took)
				}
				began = time.Now()
				for range 10_000 { // five times the queue
					ctx, span := otel.Tracer("test").Start(t.Context(), "work")
					slog.InfoContext(ctx, "x")
					span.End()
				}
				t.Logf("10,000 spans and log lines took %v", time.Since(began))
				began = time.Now()
				err := shutdown(tel, 300*time.Millisecond)
				if took := time.Since(began); took > 5*300*time.Millisecond {
					t.Errorf("Shutdown took %v with a deadline of 300 ms", took)
				}
				if err == nil {
					t.Error("Shutdown does not say that telemetry was lost")
				}
			})
		}
	}
}

func TestOneTraceCrossesHTTPAndGRPC(t *testing.T) {
	c := newCollector(t, "grpc")
	tel := start(t)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(tel.GRPCServerOptions()...)
	grpc_health_v1.RegisterHealthServer(g, health.NewServer())
	go g.Serve(l)
	defer g.Stop()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), tel.GRPCDialOption())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	web := httptest.NewServer(tel.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		slog.InfoContext(r.Context(), "in the handler")
		if _, err := grpc_health_v1.NewHealthClient(conn).Check(r.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}), "front"))
	defer web.Close()

	ctx, root := otel.Tracer("test").Start(t.Context(), "root")
	client := &http.Client{Transport: tel.HTTPTransport(nil)}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	root.End()
	web.Close()
	g.GracefulStop()
	if err := shutdown(tel, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	id := root.SpanContext().TraceID()
	c.see(func() {
		if len(c.spans) != 5 { // root, HTTP client and server, gRPC client and server
			t.Errorf("%d spans, want 5", len(c.spans))
		}
		for _, s := range c.spans {
			if trace.TraceID(s.TraceId) != id {
				t.Errorf("span %s belongs to another trace", s.Name)
			}
		}
		for _, r := range c.logs {
			if trace.TraceID(r.TraceId) != id {
				t.Errorf("log line %q belongs to another trace", r.Body.GetStringValue())
			}
		}
		if len(c.logs) != 1 {
			t.Errorf("%d log lines, want 1", len(c.logs))
		}
	})
}

func ExampleStart() {
	ctx := context.Background()
	t, err := otelplat.Start(ctx, otelplat.WithServiceName("orders"), otelplat.WithConsole(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_ = t.Shutdown(ctx) // nobody listens in this example
	}()

	ctx, span := otel.Tracer("orders").Start(ctx, "place order")
	slog.InfoContext(ctx, "placed", "order", 7)
	span.End()
	fmt.Println(t.ServiceName())
	// Output: orders
}
