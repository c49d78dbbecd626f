// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"cmp"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
)

// soaked has everything that governs, with rules and budgets that cut.
const soaked = `
extensions:
  otelplat_policy_auth: {jwks_file: FOLDER/jwks.json, issuer: otelplat-dev, audience: otelplat}
receivers:
  otlp: {protocols: {grpc: {endpoint: ADDRESS, auth: {authenticator: otelplat_policy_auth}}}}
processors:
  memory_limiter: {check_interval: 100ms, limit_mib: 400, spike_limit_mib: 80}
  otelplat_policy/claims: {mode: claims, directory: FOLDER/bundle}
  otelplat_signal: {etcd: {endpoints: [ETCD], namespace: soak}}
  otelplat_catalog: {document: {file: FOLDER/catalog.yaml}}
  otelplat_semconv: {}
  otelplat_policy: {directory: FOLDER/bundle}
  otelplat_budget: {document: {file: FOLDER/budgets.yaml}}
  batch: {}
exporters:
  otlp_grpc: {endpoint: SINK, tls: {insecure: true}}
service:
  extensions: [otelplat_policy_auth]
  pipelines:
    traces: &p
      receivers: [otlp]
      processors: [memory_limiter, otelplat_policy/claims, otelplat_signal, otelplat_catalog, otelplat_semconv, otelplat_policy, otelplat_budget, batch]
      exporters: [otlp_grpc]
    metrics: *p
    logs:
      receivers: [otlp]
      processors: [memory_limiter, otelplat_policy/claims, otelplat_catalog, otelplat_semconv, otelplat_policy, otelplat_budget, batch]
      exporters: [otlp_grpc]
  telemetry:
    logs: {level: error}
    metrics: {level: basic, readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: PORT, without_scope_info: true}}}}]}
`

// soakRego is about what telemetrygen makes: spans lets-go (client) and okey-dokey (server),
// records "the message", and metrics gen.
const soakRego = `package otelplat.telemetry
drop contains "servers" if { input.signal == "traces"; input.item.kind == "server"; input.item.attributes.drop == "yes" }
observe contains "clients" if input.item.kind == "client"
sample["records"] := 0.5 if input.signal == "logs"
redact["addresses"] := {"action": "mask", "fields": ["*"], "pattern": "[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+"}
set["checked"] := {"attributes.checked": true}
`

// soakTime is how long the soak is in a test run; OTELPLAT_SOAK says otherwise.
const soakTime = "5s"

// TestSoak lets telemetrygen send all signals at once through everything that governs, and
// has the collector's own counters add up, to the item, when all is sent; what it has
// resident must not grow without end.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(cmp.Or(os.Getenv("OTELPLAT_SOAK"), soakTime))
	if err != nil {
		t.Fatal(err)
	}
	generator := filepath.Join(t.TempDir(), "telemetrygen")
	tools := "../../../collector-components/internal/tools"
	build := exec.CommandContext(t.Context(), "go", "build", "-o", generator, "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen")
	build.Dir, build.Env = tools, append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := newWorld(t, collector(t), soaked, map[string]string{
		"bundle/telemetry.rego": soakRego,
		"budgets.yaml":          "defaults: {spans_per_second: 400, log_bytes_per_second: 40000, data_points_per_second: 60}\n",
	})
	coordtest.Eventually(t, 30*time.Second, func() bool { return w.own(t, "otelcol_processor_policy_bundle_revision") >= 0 && w.up(t) }, "the collector tells of itself")
	first := 0.0
	began := time.Now()
	for n := 0; n == 0 || time.Since(began) < length; n++ {
		part := min(length, 20*time.Second)
		var running []*exec.Cmd
		for _, args := range [][]string{
			{"traces", "--rate", "600", "--child-spans", "2", "--telemetry-attributes", `drop="yes"`},
			{"traces", "--rate", "300", "--status-code", "Error"},
			{"metrics", "--rate", "200", "--metric-type", "Sum"},
			{"logs", "--rate", "500", "--body", "from 10.1.2.3 came an order"},
		} {
			cmd := exec.CommandContext(t.Context(), generator, append(args, "--otlp-endpoint", w.address, "--otlp-insecure", "--service", "orders",
				"--duration", part.String(), "--otlp-header", `authorization="Bearer `+w.token+`"`, "--workers", "1")...)
			out := &strings.Builder{}
			cmd.Stdout, cmd.Stderr = out, out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			running = append(running, cmd)
			t.Cleanup(func() {
				if t.Failed() && cmd.ProcessState != nil && !cmd.ProcessState.Success() {
					t.Log(out.String())
				}
			})
		}
		for _, cmd := range running {
			if err := cmd.Wait(); err != nil {
				t.Errorf("telemetrygen: %v", err)
			}
		}
		if first == 0 {
			first = w.memory(t)
		}
	}
	for _, signal := range []struct{ otel, unit string }{{"traces", "spans"}, {"metrics", "metric_points"}, {"logs", "log_records"}} {
		var in, out, policy, budget float64
		add := func() bool {
			in = w.own(t, "otelcol_receiver_accepted_"+signal.unit)
			out = w.own(t, "otelcol_exporter_sent_"+signal.unit)
			policy = 0
			for _, action := range []string{"dropped", "sampled"} {
				policy += w.own(t, "otelcol_processor_policy_items", `action="`+action+`"`, `otelcol_signal="`+signal.otel+`"`)
			}
			budget = w.own(t, "otelcol_processor_budget_items", `outcome="dropped"`, `otelcol_signal="`+signal.otel+`"`)
			return in > 0 && in == out+policy+budget
		}
		for deadline := time.Now().Add(20 * time.Second); !add() && time.Now().Before(deadline); {
			<-time.After(200 * time.Millisecond) // what is batched is on its way
		}
		t.Logf("%s: %.0f in, %.0f out, policy %.0f, budget %.0f", signal.otel, in, out, policy, budget)
		if in == 0 || in != out+policy+budget {
			t.Errorf("%s do not add up: %.0f are missing", signal.otel, in-out-policy-budget)
		}
		if policy+budget == 0 {
			t.Errorf("nothing governed %s", signal.otel)
		}
	}
	last := w.memory(t)
	t.Logf("memory: %.0f MB at most after the first %v, %.0f MB after %v", first, min(length, 20*time.Second), last, time.Since(began).Round(time.Second))
	if last > 400 {
		t.Errorf("%.0f MB resident is beyond the limit of 400", last)
	}
}

func (w *world) up(t testing.TB) bool {
	t.Helper()
	return strings.Contains(w.page(t), "otelcol_process_uptime")
}

func (w *world) page(t testing.TB) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// own returns the sum of a metric of the collector's own over the series that have these
// labels.
func (w *world) own(t testing.TB, name string, labels ...string) (sum float64) {
	t.Helper()
lines:
	for line := range strings.Lines(w.page(t)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if !ok || !strings.HasPrefix(series, name+"{") && !strings.HasPrefix(series, name+"_total{") && !strings.HasPrefix(series, name+"__") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(series, l) {
				continue lines
			}
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
