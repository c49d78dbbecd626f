// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/examples/shop/shoppb"
	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/policy/guard"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Variables with which the test binary is started as a client of the inventory.
const (
	roleVariable     = "OTELPLAT_TEST_ROLE"
	requestsVariable = "OTELPLAT_TEST_REQUESTS"
	signalsVariable  = "OTELPLAT_TEST_SIGNALS"
	nameVariable     = "OTELPLAT_TEST_NAME"
	pauseVariable    = "OTELPLAT_TEST_PAUSE"
)

// clientResult is what a client process prints.
type clientResult struct {
	Requests int
	Failed   int
	First    int            // number of the first request that failed; 0 none
	Served   map[string]int // answers by instance
	Error    string
}

// clientMain is a process that calls the inventory, which it has never called.
func clientMain() {
	r := clientResult{Served: make(map[string]int)}
	if err := runClient(&r); err != nil {
		r.Error = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(r) // the test sees that nothing came
}

func runClient(r *clientResult) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	caller, err := newCaller(ctx, os.Getenv(nameVariable), os.Getenv("OTELPLAT_TOKEN_FILE"), os.Getenv(signalsVariable) != "off", time.Second)
	if err != nil {
		return err
	}
	defer caller.close()
	n, err := strconv.Atoi(os.Getenv(requestsVariable))
	if err != nil {
		return err
	}
	pause, _ := time.ParseDuration(os.Getenv(pauseVariable)) // none without
	for i := 1; i <= n; i++ {
		instance, err := caller.reserve(ctx)
		r.Requests++
		if err != nil {
			r.Failed++
			if r.First == 0 {
				r.First = i
			}
		} else {
			r.Served[instance]++
		}
		if pause > 0 {
			<-time.After(pause)
		}
	}
	return nil
}

// caller is one client of the inventory, with a router of its own.
type caller struct {
	telemetry *otelplat.Telemetry
	router    *router.Router
	inventory shoppb.InventoryClient
	closers   []func()
}

// newCaller connects to the platform that the environment names, and waits until
// its mirrors are loaded.
func newCaller(ctx context.Context, name, tokenFile string, signals bool, base time.Duration) (*caller, error) {
	c := &caller{}
	t, err := otelplat.Start(ctx, otelplat.WithServiceName(name), otelplat.WithTokenFile(tokenFile), otelplat.WithoutGlobals(), otelplat.WithoutRuntimeMetrics())
	if err != nil {
		return nil, err
	}
	c.telemetry = t
	c.onClose(func() {
		flush, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = t.Shutdown(flush) // what is not flushed is lost, and not what is tested
	})
	client, err := coord.Open()
	if err != nil {
		return nil, err
	}
	c.onClose(func() { _ = client.Close() })
	directory, err := discovery.Etcd(client).Directory(ctx)
	if err != nil {
		return nil, err
	}
	c.onClose(func() { _ = directory.Close() })
	opts := []router.Option{router.WithSignalMeter(t.SignalMeter()), router.WithEjectionBase(base)}
	if signals {
		source := signal.Etcd(client)
		c.onClose(func() { _ = source.Close() })
		opts = append(opts, router.WithSignals(source))
	}
	if c.router, err = router.New(directory, opts...); err != nil {
		return nil, err
	}
	c.onClose(func() { _ = c.router.Close() })
	if err := c.router.Ready(ctx, "inventory"); err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("otelplat:///inventory", append(c.router.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(guard.TokenFile(tokenFile, guard.Plaintext())))...)
	if err != nil {
		return nil, err
	}
	c.onClose(func() { _ = conn.Close() })
	c.inventory = shoppb.NewInventoryClient(conn)
	return c, nil
}

func (c *caller) onClose(f func()) { c.closers = append(c.closers, f) }

func (c *caller) close() {
	for i := len(c.closers) - 1; i >= 0; i-- {
		c.closers[i]()
	}
}

// out reports whether the caller's router keeps an instance out of its rotation.
func (c *caller) out(t testing.TB, instance string) bool {
	t.Helper()
	choices, err := c.router.Explain("inventory")
	if err != nil {
		t.Fatal(err)
	}
	for _, choice := range choices {
		if choice.Member.ID == instance {
			return choice.State != router.Active && choice.State != router.Ramping
		}
	}
	return true // not even known
}

func (c *caller) reserve(ctx context.Context) (instance string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	resp, err := c.inventory.Reserve(ctx, &shoppb.ReserveRequest{Item: "book", Quantity: 1})
	return resp.GetInstance(), err
}

// tokenFor writes a token for a service, and returns its file.
func (p *running) tokenFor(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".jwt")
	if err := os.WriteFile(path, []byte(p.must("token", name, "--kind", "service")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// environment lets callers in this process find the platform.
func (p *running) environment(t *testing.T) {
	t.Setenv("OTELPLAT_ETCD_ENDPOINTS", p.Etcd)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", p.OTLPGRPC)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
}

// client starts a client process; wait returns what it saw.
func (p *running) client(t testing.TB, name string, requests int, signals bool, pause time.Duration) (wait func() clientResult) {
	t.Helper()
	return startClient(t, p.Etcd, p.OTLPGRPC, p.tokenFor(t, name), name, requests, signals, pause)
}

// startClient starts a client process of the platform that has these endpoints.
func startClient(t testing.TB, etcd, otlp, tokenFile, name string, requests int, signals bool, pause time.Duration) (wait func() clientResult) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable)
	use := "on"
	if !signals {
		use = "off"
	}
	cmd.Env = append(os.Environ(),
		roleVariable+"=client", nameVariable+"="+name, requestsVariable+"="+strconv.Itoa(requests), signalsVariable+"="+use,
		pauseVariable+"="+pause.String(), "OTELPLAT_TOKEN_FILE="+tokenFile,
		"OTELPLAT_ETCD_ENDPOINTS="+etcd, "OTEL_EXPORTER_OTLP_ENDPOINT="+otlp, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() clientResult {
		t.Helper()
		err := cmd.Wait()
		var r clientResult
		if err = firstError(err, json.Unmarshal(stdout.Bytes(), &r)); err != nil || r.Error != "" {
			t.Fatalf("client: %v %s\n%s", err, r.Error, tail(stderr.String(), 2000))
		}
		return r
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// testStockSDK runs a program that knows
// OpenTelemetry and nothing of otelplat: its span reaches the backend.
func testStockSDK(t *testing.T, p *running, s *sink) {
	dir := t.TempDir()
	program := `package main

import (
	"context"
	"log"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	ctx := context.Background()
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	_, span := provider.Tracer("stock").Start(ctx, "stock-span")
	span.End()
	if err := provider.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}
`
	// Below this module's folder, so that its requirements are those of the
	// checkout; the name keeps it out of ./... .
	source := filepath.Join(checkout(t), "integration", "testdata", "stock-"+filepath.Base(dir))
	if err := os.MkdirAll(source, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(source) })
	if err := os.WriteFile(filepath.Join(source, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	stock := filepath.Join(dir, "stock")
	goTool(t, source, []string{"CGO_ENABLED=0"}, "build", "-o", stock, ".")
	cmd := exec.Command(stock)
	for line := range strings.Lines(p.must("env", "stock")) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if !ok {
			t.Fatalf("env printed %q", line)
		}
		cmd.Env = append(cmd.Env, name+"="+strings.Trim(value, "'"))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the stock program: %v\n%s", err, out)
	}
	p.eventually(30*time.Second, "the stock program's span reaches the backend", func() bool {
		return len(s.findSpans(func(sp sinkSpan) bool { return sp.service == "stock" && sp.Name == "stock-span" })) == 1
	})
}
