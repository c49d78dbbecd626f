// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/versioned"
)

// edge is a collector whose configuration is a document in etcd, merged with what a
// machine has of its own.
type edge struct {
	t               *testing.T
	etcd            *coordtest.Server
	store           *versioned.Store
	health, metrics string // addresses
	ended           chan error
	stop            context.CancelFunc
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t, etcd: coordtest.Etcd(t), health: free(t), metrics: free(t)}
	e.store = versioned.New(coordtest.Client(t, e.etcd, coord.WithNamespace("test")), versioned.Config)
	for name, value := range map[string]string{
		"OTELPLAT_ETCD_ENDPOINTS": e.etcd.Endpoint(), "OTELPLAT_NAMESPACE": "test", "OTELPLAT_STATE_DIR": t.TempDir(),
		"HEALTH": e.health,
	} {
		t.Setenv(name, value)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return e
}

// start starts the collector.
func (e *edge) start() {
	e.t.Helper()
	_, port, err := net.SplitHostPort(e.metrics)
	if err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.ended, e.stop = make(chan error, 1), cancel
	own := "service: {telemetry: {logs: {level: fatal}, metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: " + port + "}}}}]}}}"
	go func() { e.ended <- components.Run(ctx, components.Options{URIs: []string{"etcd:edge", "yaml:" + own}}) }()
	e.t.Cleanup(e.end)
}

// end stops it and waits.
func (e *edge) end() {
	e.t.Helper()
	if e.stop == nil {
		return
	}
	e.stop()
	if err := <-e.ended; err != nil {
		e.t.Error(err)
	}
	e.stop = nil
}

func (e *edge) put(content string) {
	e.t.Helper()
	if _, err := e.store.Put(e.t.Context(), "edge", []byte(content), versioned.PutOptions{Expect: versioned.Any}); err != nil {
		e.t.Fatal(err)
	}
}

// answering is a configuration whose health check answers at a path.
func answering(path string) string {
	return fmt.Sprintf(`
extensions: {health_check: {endpoint: "${env:HEALTH}", path: /%s}}
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}}
exporters: {nop: {}}
service:
  extensions: [health_check]
  pipelines: {logs: {receivers: [otlp], exporters: [nop]}}
`, path)
}

func (e *edge) answers(path string) {
	e.t.Helper()
	e.eventually("the collector answers at "+path, func() bool {
		code, _ := get("http://" + e.health + "/" + path)
		return code == http.StatusOK
	})
}

// counts expects so many changes with an outcome, by the collector's own metrics.
func (e *edge) counted(outcome string, atLeast float64) {
	e.t.Helper()
	e.eventually(fmt.Sprintf("%v changes are counted as %s", atLeast, outcome), func() bool { return e.count(outcome) >= atLeast })
}

func (e *edge) count(outcome string) float64 {
	_, text := get("http://" + e.metrics + "/metrics")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "otelplat_collector_config_changes") && strings.Contains(line, `outcome="`+outcome+`"`) {
			fields := strings.Fields(line)
			n, _ := strconv.ParseFloat(fields[len(fields)-1], 64)
			return n
		}
	}
	return 0
}

func (e *edge) eventually(what string, ok func() bool) {
	e.t.Helper()
	coordtest.Eventually(e.t, patience, func() bool {
		select {
		case err := <-e.ended:
			e.ended <- nil
			e.t.Fatalf("the collector ended, expected that %s: %v", what, err)
		default:
		}
		return ok()
	}, "%s", what)
}

// A collector's life with its configuration in etcd.
func TestAConfigurationInEtcd(t *testing.T) {
	e := newEdge(t)
	e.put(answering("one"))
	e.start()
	e.answers("one")
	e.counted("applied", 1)

	t.Run("a good change is applied", func(t *testing.T) {
		e.put(answering("two"))
		e.answers("two")
		e.counted("applied", 2)
	})

	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	refused := 0.0
	for _, bad := range []struct{ name, content string }{
		{"broken YAML", "receivers: [otlp"},
		{"a text that is no configuration", "rm -rf /"},
		{"an unknown component", strings.ReplaceAll(answering("bad"), "nop", "nope")},
		{"an unknown field", strings.ReplaceAll(answering("bad"), "{nop: {}}", "{nop: {shiny: true}}")},
		{"an invalid value", strings.ReplaceAll(answering("bad"), "grpc: {", "grpc: {max_recv_msg_size_mib: -1, ")},
		{"a pipeline without exporter", strings.ReplaceAll(answering("bad"), "exporters: [nop]", "exporters: []")},
		{"a variable that is not text", strings.ReplaceAll(answering("bad"), "${env:HEALTH}", "${etcd:nowhere}")},
		{"what only its start shows: a port that is taken", strings.ReplaceAll(answering("bad"), "127.0.0.1:0", taken.Addr().String())},
	} {
		t.Run("refused, and the last good one stays: "+bad.name, func(t *testing.T) {
			e.put(bad.content)
			refused++
			e.counted("refused", refused)
			e.answers("two")
		})
	}

	t.Run("a good one after all that is applied", func(t *testing.T) {
		before := e.count("applied")
		e.put(answering("three"))
		e.answers("three")
		e.counted("applied", before+1)
	})

	t.Run("a storm of changes is a few reloads", func(t *testing.T) {
		before := e.count("applied")
		for i := range 100 {
			e.put(answering(fmt.Sprint("storm-", i)))
		}
		e.put(answering("calm"))
		e.answers("calm")
		e.counted("applied", before+1)
		if n := e.count("applied") - before; n > 5 {
			t.Errorf("%v reloads for 101 changes, expected at most 5", n)
		}
	})

	t.Run("etcd goes and comes", func(t *testing.T) {
		e.etcd.Stop()
		e.answers("calm")
		e.etcd.Start()
		e.put(answering("back"))
		e.answers("back")
		e.counted("applied", 1)
	})

	t.Run("it starts while etcd is away", func(t *testing.T) {
		e.end()
		e.etcd.Stop()
		e.start()
		e.answers("back")
		e.etcd.Start()
		e.put(answering("home"))
		e.answers("home")
	})

	t.Run("it starts with the last good one when the newest is bad", func(t *testing.T) {
		e.counted("applied", 2)
		e.end()
		e.put("receivers: [otlp")
		e.start()
		e.answers("home")
		e.counted("refused", 1)
	})

	t.Run("it starts with the last good one when the newest does not start", func(t *testing.T) {
		e.end()
		e.put(strings.ReplaceAll(answering("bad"), "127.0.0.1:0", taken.Addr().String()))
		e.start()
		e.answers("home")
		e.counted("refused", 1)
	})
}

func TestAFirstDocumentThatIsBadIsAnErrorThatSaysWhy(t *testing.T) {
	e := newEdge(t)
	e.put("receivers: [otlp")
	err := components.Run(t.Context(), components.Options{URIs: []string{"etcd:edge"}})
	if err == nil || !strings.Contains(err.Error(), "no YAML") {
		t.Errorf("error is %v", err)
	}
}

func TestAFileThatIsBadEndsTheCollector(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := components.Run(ctx, components.Options{URIs: []string{"yaml:receivers: {nope: {}}"}})
	if err == nil || ctx.Err() != nil {
		t.Errorf("error is %v", err)
	}
}
