// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/policy/authn/devissuer"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	resourcev1 "go.opentelemetry.io/proto/otlp/resource/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	spansInBatch = 1000
	batchesInOp  = 100
)

// plain is the pipeline that governs nothing.
const plain = `
receivers:
  otlp: {protocols: {grpc: {endpoint: ADDRESS, max_recv_msg_size_mib: 64}}}
processors:
  batch: {}
exporters:
  otlp_grpc: {endpoint: SINK, tls: {insecure: true}, compression: none}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [otlp_grpc]}
  telemetry:
    logs: {level: error}
    metrics: {level: basic, readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: PORT}}}}]}
`

// governed has all of the platform's components that traces pass.
const governed = `
extensions:
  otelplat_policy_auth: {jwks_file: FOLDER/jwks.json, issuer: otelplat-dev, audience: otelplat}
receivers:
  otlp: {protocols: {grpc: {endpoint: ADDRESS, max_recv_msg_size_mib: 64, auth: {authenticator: otelplat_policy_auth}}}}
processors:
  otelplat_policy/claims: {mode: claims, directory: FOLDER/bundle}
  otelplat_signal: {etcd: {endpoints: [ETCD], namespace: bench}}
  otelplat_catalog: {document: {file: FOLDER/catalog.yaml}}
  otelplat_policy: {directory: FOLDER/bundle}
  otelplat_budget: {document: {file: FOLDER/budgets.yaml}}
  batch: {}
exporters:
  otlp_grpc: {endpoint: SINK, tls: {insecure: true}, compression: none}
service:
  extensions: [otelplat_policy_auth]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [otelplat_policy/claims, otelplat_signal, otelplat_catalog, otelplat_policy, otelplat_budget, batch]
      exporters: [otlp_grpc]
  telemetry:
    logs: {level: error}
    metrics: {level: basic, readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: PORT}}}}]}
`

// BenchmarkPipeline sends batches of 1,000 spans with 10 attributes through a collector
// that is a process of its own. An operation is 100 batches. The figure is spans for each
// second of CPU that the collector takes, as the system accounts for it; x-plain is the
// share that is left of the pipeline that governs nothing.
func BenchmarkPipeline(b *testing.B) {
	binary := collector(b)
	perSecond := make(map[string]float64)
	for _, name := range []string{"plain", "otelplat"} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, binary, map[string]string{"plain": plain, "otelplat": governed}[name], nil)
			w.send(b, batchesInOp) // warm
			before, took := w.cpu(b), w.taken(b)
			began := time.Now()
			for b.Loop() {
				w.send(b, batchesInOp)
			}
			w.drained(b, took)
			seconds := w.cpu(b) - before
			spans := float64(b.N * batchesInOp * spansInBatch)
			perSecond[name] = spans / seconds
			b.ReportMetric(perSecond[name], "spans/cpu-s")
			b.ReportMetric(spans/time.Since(began).Seconds(), "spans/s")
			b.ReportMetric(w.memory(b), "MB-peak")
			if base := perSecond["plain"]; base > 0 && name != "plain" {
				b.ReportMetric(perSecond[name]/base, "x-plain")
			}
		})
	}
}

// collector builds the distribution's binary.
func collector(b testing.TB) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "otelplat-collector")
	build := exec.CommandContext(b.Context(), "go", "build", "-o", binary, "github.com/otelplat/platform/collector-components/distribution")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// world is a collector between a generator and a sink.
type world struct {
	generator, sink         *process
	pid                     int
	address, token, metrics string
}

// newWorld starts one; files replace those that its configuration may name.
func newWorld(b testing.TB, binary, config string, files map[string]string) *world {
	b.Helper()
	folder := b.TempDir()
	issuer, err := devissuer.Load(folder)
	if err != nil {
		b.Fatal(err)
	}
	token, err := issuer.Token(devissuer.Claims{Kind: "service", Subject: "orders"})
	if err != nil {
		b.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	var rego strings.Builder
	rego.WriteString("package otelplat.telemetry\n")
	for i := range 10 {
		fmt.Fprintf(&rego, "drop contains \"healthz%d\" if {\n\tinput.item.attributes[\"http.route\"] == \"/healthz%d\"\n\tinput.item.attributes[\"http.response.status_code\"] < 500\n}\n", i, i)
	}
	write("bundle/telemetry.rego", rego.String())
	write("bundle/claims.rego", "package otelplat.claims\ndefault allow := false\nallow if input.subject.id == input.resource.id\n")
	write("jwks.json", string(issuer.JWKS()))
	write("catalog.yaml", "services: {orders: {owner: shop, team: checkout, tier: \"1\"}}\n")
	write("budgets.yaml", "defaults: {spans_per_second: 100000000}\n")

	for name, text := range files {
		write(name, text)
	}
	address, own := free(b), free(b)
	w := &world{sink: start(b, "sink"), address: address, token: token, metrics: "http://" + own + "/metrics"}
	etcd := ""
	if strings.Contains(config, "ETCD") {
		etcd = coordtest.Etcd(b).Endpoint()
	}
	config = strings.NewReplacer("ADDRESS", address, "PORT", own[strings.LastIndexByte(own, ':')+1:], "SINK", w.sink.line(b), "FOLDER", folder, "ETCD", etcd).Replace(config)
	collector := exec.CommandContext(b.Context(), binary, "--config", "file:"+write("collector.yaml", config))
	collector.Stdout, collector.Stderr = os.Stderr, os.Stderr
	if err := collector.Start(); err != nil {
		b.Fatal(err)
	}
	w.pid = collector.Process.Pid
	b.Cleanup(func() {
		_ = collector.Process.Signal(os.Interrupt)
		_ = collector.Wait()
	})
	w.generator = start(b, "generator", "OTELPLAT_PIPELINE_TARGET="+address, "OTELPLAT_PIPELINE_TOKEN="+token,
		"OTELPLAT_PIPELINE_BATCH="+write("batch", string(batch(b))))
	w.generator.line(b)
	coordtest.Eventually(b, 30*time.Second, func() bool { return w.generator.ask(b, "1") == "done" }, "the collector takes a batch")
	return w
}

// batch is a request of one resource of the service orders.
func batch(b testing.TB) []byte {
	text := func(key, value string) *commonv1.KeyValue {
		return &commonv1.KeyValue{Key: key, Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: value}}}
	}
	scope := &tracev1.ScopeSpans{Scope: &commonv1.InstrumentationScope{Name: "bench"}}
	for i := range spansInBatch {
		id := fmt.Appendf(nil, "%016d", i)
		now := uint64(time.Now().UnixNano()) //nolint:gosec // after 1970
		s := &tracev1.Span{
			TraceId: id, SpanId: id[8:], Name: "GET /orders/{id}", Kind: tracev1.Span_SPAN_KIND_SERVER,
			StartTimeUnixNano: now, EndTimeUnixNano: now + 3_000_000,
			Attributes: []*commonv1.KeyValue{
				text("http.request.method", "GET"), text("url.scheme", "https"), text("server.address", "orders.example.com"),
				text("http.route", fmt.Sprintf("/orders/%d", i%20)),
				{Key: "http.response.status_code", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_IntValue{IntValue: 200}}},
			},
		}
		for k := len(s.Attributes); k < 10; k++ {
			s.Attributes = append(s.Attributes, text(fmt.Sprintf("app.attribute.%d", k), "some value"))
		}
		scope.Spans = append(scope.Spans, s)
	}
	data, err := proto.Marshal(&tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{
		Resource: &resourcev1.Resource{Attributes: []*commonv1.KeyValue{
			text("service.name", "orders"), text("service.version", "1.2.3"), text("service.instance.id", "orders-1"), text("deployment.environment.name", "test"),
		}},
		ScopeSpans: []*tracev1.ScopeSpans{scope},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func (w *world) send(b testing.TB, batches int) {
	b.Helper()
	if answer := w.generator.ask(b, strconv.Itoa(batches)); answer != "done" {
		b.Fatal(answer)
	}
}

// taken is how many bytes have reached the sink.
func (w *world) taken(b testing.TB) int64 {
	b.Helper()
	n, err := strconv.ParseInt(w.sink.ask(b, "taken"), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// drained waits until nothing more reaches the sink, so that what was sent is paid for.
func (w *world) drained(b testing.TB, since int64) {
	b.Helper()
	last := since
	coordtest.Eventually(b, time.Minute, func() bool {
		<-time.After(300 * time.Millisecond) // longer than a batch waits
		now := w.taken(b)
		still := now == last
		last = now
		return still && now > since
	}, "everything has reached the sink")
}

// ticks is how the kernel counts CPU time in /proc, by the second (USER_HZ).
const ticks = 100

// cpu is the CPU time that the collector has taken, in seconds (proc(5): utime and stime
// are the 14th and 15th fields, the second in parentheses).
func (w *world) cpu(b testing.TB) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	return (user + system) / ticks
}

// memory is the most that the collector had resident, in MB.
func (w *world) memory(b testing.TB) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("no VmHWM in /proc")
	return 0
}

func free(b testing.TB) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
