// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be the client processes of its own tests.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "client" {
		clientMain()
		return
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the binary under test, made once.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "otelplat-integration-"); built.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(built.dir, "otelplat"), "./cmd/otelplat")
		cmd.Dir = checkout(t)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("build: %v", built.err)
	}
	return filepath.Join(built.dir, "otelplat")
}

// freeBase returns the first of 20 free ports in a row.
func freeBase(t testing.TB) int {
	t.Helper()
	for base := 20000 + os.Getpid()%8000; base < 60000; base += 20 {
		free := 0
		for ; free < 20; free++ {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(base+free))
			if err != nil {
				break
			}
			_ = l.Close()
		}
		if free == 20 {
			return base
		}
	}
	t.Fatal("no 20 free ports in a row")
	return 0
}

// running is a running `otelplat up`.
type running struct {
	t       testing.TB
	dir     string
	cmd     *exec.Cmd
	exited  chan struct{}
	started time.Time
	served  time.Duration // from the start to the first request that was served

	mu     sync.Mutex
	output bytes.Buffer

	Etcd     string `json:"etcd"`
	OTLPGRPC string `json:"otlp_grpc"`
	Events   string `json:"events"`
	NATS     string `json:"nats"`
	Metrics  string `json:"metrics"`
	Shop     string `json:"shop"`
}

// Write keeps what up prints.
func (p *running) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

func (p *running) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// up starts the platform with the demo in a data directory, and waits until it
// serves.
func up(t testing.TB, dir string, args ...string) *running {
	t.Helper()
	p := upAlone(t, dir, append([]string{"--demo"}, args...)...)
	p.eventually(60*time.Second, "a request is served", func() bool { return p.load().Requests > p.load().Failed })
	p.served = time.Since(p.started)
	return p
}

// upAlone starts the platform, and waits until it runs.
func upAlone(t testing.TB, dir string, args ...string) *running {
	t.Helper()
	p := &running{t: t, dir: dir, exited: make(chan struct{})}
	p.cmd = exec.Command(binary(t), append([]string{"up", "--data-dir", dir, "--listen-base", strconv.Itoa(freeBase(t)), "-o", "json"}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the state is looked at below
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("up printed:\n%s", tail(p.printed(), 4000))
		}
	})
	p.eventually(90*time.Second, "the platform runs", func() bool {
		for line := range strings.Lines(p.printed()) {
			if strings.HasPrefix(line, `{"etcd"`) && json.Unmarshal([]byte(line), p) == nil && p.Etcd != "" {
				return true
			}
		}
		return false
	})
	return p
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// stop ends up as Ctrl-C does.
func (p *running) stop() {
	select {
	case <-p.exited:
		return
	default:
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
		p.t.Error("up did not stop within 20 s")
	}
}

func (p *running) eventually(timeout time.Duration, what string, ok func() bool) {
	p.t.Helper()
	deadline := time.After(timeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			p.t.Fatalf("not within %v: %s", timeout, what)
		case <-p.exited:
			p.t.Fatalf("up ended before: %s\n%s", what, tail(p.printed(), 4000))
		case <-tick.C:
		}
	}
}

// run runs a command of the command line against the platform and returns what it
// prints.
func (p *running) run(args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), binary(p.t), append(args, "--data-dir", p.dir)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return stdout.String(), err
}

func (p *running) must(args ...string) string {
	p.t.Helper()
	out, err := p.run(args...)
	if err != nil {
		p.t.Fatalf("otelplat %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// loadCounts is what the demo's customers count.
type loadCounts struct {
	Requests, Failed, Denied uint64
	Reasons                  map[string]int
}

func (p *running) load() (l loadCounts) {
	text, err := os.ReadFile(filepath.Join(p.dir, "load.json"))
	if err == nil {
		_ = json.Unmarshal(text, &l) // of a half-started platform: no counts yet
	}
	return l
}

// row is what the fleet knows of an instance.
type row struct {
	Service, Instance, State, Why string
	Rate                          float64 `json:"requests_per_second"`
	Weight                        float64
}

func (p *running) signals(service string) map[string]row {
	p.t.Helper()
	var rows []row
	if err := json.Unmarshal([]byte(p.must("signals", service, "-o", "json")), &rows); err != nil {
		p.t.Fatal(err)
	}
	byID := make(map[string]row)
	for _, r := range rows {
		byID[r.Instance] = r
	}
	return byID
}

// get sends a request to the shop as a customer.
func (p *running) request(customer, method, path, body string) (int, string) {
	p.t.Helper()
	return p.requestWith(strings.TrimSpace(p.must("token", customer)), method, path, body)
}

func (p *running) requestWith(token, method, path, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.Shop+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// metrics returns what the collector tells of itself.
func (p *running) metrics() string {
	resp, err := http.Get(p.Metrics)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // half of it is as good as none: the caller asks again
	return string(text)
}

// counted returns the value of the collector's counter whose name and labels hold
// all the words, 0 when there is none.
func (p *running) counted(words ...string) float64 {
	for line := range strings.Lines(p.metrics()) {
		found := !strings.HasPrefix(line, "#")
		for _, w := range words {
			found = found && strings.Contains(line, w)
		}
		if i := strings.LastIndexByte(line, ' '); found && i > 0 {
			if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
				return v
			}
		}
	}
	return 0
}

// full reports whether fault tests run at their full length.
func full() bool { return os.Getenv("OTELPLAT_FAULTS") == "full" }
