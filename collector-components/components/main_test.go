// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// world is a collector with the default configuration, an etcd, an issuer of
// tokens and a backend.
type world struct {
	t       *testing.T
	etcd    *coord.Client
	issuer  *devissuer.Issuer
	signer  string // path of the key that signs bundles
	backend *backend
	conn    *grpc.ClientConn
	http    string
	metrics string
	events  string // address
	nats    *natstest.Server
}

// start starts all of them, without a bundle in etcd; what is over the default
// configuration goes over it.
func start(t *testing.T, over ...string) *world {
	t.Helper()
	return startFrom(t, components.DefaultURIs, over...)
}

// startFrom starts them with a configuration of another place.
func startFrom(t *testing.T, from func() []string, over ...string) *world {
	t.Helper()
	w := &world{t: t, backend: newBackend(t)}
	etcd := coordtest.Etcd(t)
	folder := t.TempDir()
	var err error
	if w.issuer, err = devissuer.Load(folder); err != nil {
		t.Fatal(err)
	}
	w.signer = filepath.Join(folder, "policy.key")
	public := filepath.Join(folder, "policy.pub")
	if _, err := policy.GenerateKey(w.signer, public); err != nil {
		t.Fatal(err)
	}
	grpcAddress, health, metricsAddress := free(t), free(t), free(t)
	w.events, w.nats = free(t), natstest.NewServer(t)
	w.http, w.metrics = "http://"+free(t), "http://"+metricsAddress+"/metrics"
	for name, value := range map[string]string{
		"OTELPLAT_JWKS_FILE": devissuer.JWKSPath(folder), "OTELPLAT_POLICY_KEYS": public,
		"OTELPLAT_ETCD_ENDPOINTS": etcd.Endpoint(), "OTELPLAT_NAMESPACE": "test", "OTELPLAT_COLLECTOR_ID": "c1",
		"OTELPLAT_OTLP_GRPC": grpcAddress, "OTELPLAT_OTLP_HTTP": strings.TrimPrefix(w.http, "http://"),
		"OTELPLAT_HEALTH": health, "OTELPLAT_METRICS_PORT": metricsAddress[strings.LastIndex(metricsAddress, ":")+1:],
		"OTELPLAT_EXPORT": w.backend.address, "OTELPLAT_EVENTS_GRPC": w.events, "OTELPLAT_NATS_URL": w.nats.URL(),
	} {
		t.Setenv(name, value)
	}
	if w.etcd, err = coord.Open(coord.WithEndpoints(etcd.Endpoint()), coord.WithNamespace("test")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.etcd.Close() })

	uris := append(from(), "yaml:service::telemetry::logs::level: error")
	for _, text := range over {
		uris = append(uris, "yaml:"+text)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- components.Run(ctx, components.Options{URIs: uris}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	w.eventually("the collector is healthy", func() bool {
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("the collector ended: %v", err)
		default:
		}
		code, _ := get("http://" + health)
		return code == http.StatusOK
	})
	w.conn, err = grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.conn.Close() })
	return w
}

// as returns a context of a sender with a token.
func (w *world) as(kind, subject string) context.Context {
	w.t.Helper()
	return metadata.AppendToOutgoingContext(w.t.Context(), "authorization", "Bearer "+w.token(kind, subject))
}

func (w *world) token(kind, subject string) string {
	w.t.Helper()
	token, err := w.issuer.Token(devissuer.Claims{Kind: kind, Subject: subject})
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// metric returns the value of a metric of the collector's own, for labels as they
// stand in the exposition, in any order; 0 when it is not there.
func (w *world) metric(name string, labels ...string) float64 {
	w.t.Helper()
	_, text := get(w.metrics)
	total := 0.0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, name+"{") {
			continue
		}
		all := true
		for _, l := range labels {
			all = all && strings.Contains(line, l)
		}
		if fields := strings.Fields(line); all {
			v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			if err != nil {
				w.t.Fatal(err)
			}
			total += v
		}
	}
	return total
}

func (w *world) expectMetric(want float64, name string, labels ...string) {
	w.t.Helper()
	if got := w.metric(name, labels...); got != want {
		_, text := get(w.metrics)
		w.t.Errorf("%s%v is %v, expected %v", name, labels, got, want)
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, name) {
				w.t.Log(strings.TrimSpace(line))
			}
		}
	}
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			w.t.Fatalf("%v passed, and still not: %s", patience, what)
		case <-tick.C:
		}
	}
}

func get(url string) (int, string) {
	response, err := http.Get(url)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// backend is what the collector exports to. It keeps what it gets.
type backend struct {
	address string

	mu      sync.Mutex
	logs    []plogotlp.ExportRequest
	traces  []ptraceotlp.ExportRequest
	metrics []pmetricotlp.ExportRequest
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{address: l.Addr().String()}
	s := grpc.NewServer()
	plogotlp.RegisterGRPCServer(s, &logBackend{b: b})
	ptraceotlp.RegisterGRPCServer(s, &traceBackend{b: b})
	pmetricotlp.RegisterGRPCServer(s, &metricBackend{b: b})
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l)
	}()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return b
}

type logBackend struct {
	plogotlp.UnimplementedGRPCServer
	b *backend
}

func (l *logBackend) Export(_ context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.b.logs = append(l.b.logs, r)
	return plogotlp.NewExportResponse(), nil
}

type traceBackend struct {
	ptraceotlp.UnimplementedGRPCServer
	b *backend
}

func (l *traceBackend) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.b.traces = append(l.b.traces, r)
	return ptraceotlp.NewExportResponse(), nil
}

type metricBackend struct {
	pmetricotlp.UnimplementedGRPCServer
	b *backend
}

func (l *metricBackend) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.b.metrics = append(l.b.metrics, r)
	return pmetricotlp.NewExportResponse(), nil
}

// text returns all that arrived of one signal, as JSON.
func (b *backend) text(signal string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all strings.Builder
	write := func(text []byte, _ error) { all.Write(text); all.WriteByte('\n') }
	switch signal {
	case "logs":
		for _, r := range b.logs {
			write(r.MarshalJSON())
		}
	case "traces":
		for _, r := range b.traces {
			write(r.MarshalJSON())
		}
	case "metrics":
		for _, r := range b.metrics {
			write(r.MarshalJSON())
		}
	}
	return all.String()
}
