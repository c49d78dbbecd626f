// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/semconv"
	otelattribute "go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// TestTheLoop runs the whole platform with the demo, and shows on real traffic what
// it promises. Its parts run one after the other on one platform: each leaves it
// well again.
func TestTheLoop(t *testing.T) {
	s := startSink(t)
	p := up(t, t.TempDir(), "--export", s.address, "--ejection-base", "2s")
	t.Logf("first request served %v after the start", p.served)
	if p.served > 100*time.Second {
		t.Errorf("want 20 s (the test allows five times that)")
	}
	step := func(name string, f func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			outer := p.t
			defer func() { p.t = outer }()
			p.t = t
			f(t)
		})
	}
	step("a trace crosses the shop, with its logs, and is exported", func(t *testing.T) { testTrace(t, p, s) })
	step("telemetry policy redacts and drops, and counts by rule", func(t *testing.T) { testTelemetryPolicy(t, p, s) })
	step("policy decides about orders, and is pushed", func(t *testing.T) { testPolicy(t, p, s) })
	step("a program on the stock SDK joins", func(t *testing.T) { testStockSDK(t, p, s) })
	step("reports nobody vouches for are dropped and counted", func(t *testing.T) { testClaims(t, p) })
	step("signals reach those who never saw the fault", func(t *testing.T) { testSignals(t, p) })
	step("one voice ejects nobody", func(t *testing.T) { testOneVoice(t, p) })
	step("tokens that are taken back are refused", func(t *testing.T) { testRevoke(t, p) })
	step("an order is a record and an event, and is counted alike everywhere", func(t *testing.T) { testOrder(t, p, s) })
	step("a failing check takes an instance out of rotation", func(t *testing.T) { testHealth(t, p) })
	step("an operator splits a route, and takes an instance out", func(t *testing.T) { testRoute(t, p) })
	step("memory", func(t *testing.T) { testMemory(t, p) })
	step("etcd away", func(t *testing.T) { testOutage(t, p, "etcd") })
	step("collector away", func(t *testing.T) { testOutage(t, p, "collector") })
	step("NATS away", func(t *testing.T) {
		testOutage(t, p, "nats")
		placed := p.scraped("orders", "shop_orders_placed_total")
		p.eventually(60*time.Second, "what happened meanwhile is told", func() bool { return p.scraped("inventory", "shop_inventory_shipped_total") >= placed })
	})
	step("it stops in time and leaves no process", func(t *testing.T) { testStop(t, p) })
}

// parts are the processes of the platform without the shop.
var parts = []string{"up", "etcd", "nats", "collector"}

// testMemory prints the proportional memory of the platform's processes without
// the shop, a minute or more after the start.
func testMemory(t *testing.T, p *running) {
	p.eventually(time.Minute, "it has run for a minute", func() bool { return time.Since(p.started) > time.Minute })
	total := 0
	for name, pid := range p.pids() {
		if !slices.Contains(parts, name) {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			t.Skip("needs /proc/PID/smaps_rollup of Linux: ", err)
		}
		for line := range strings.Lines(string(text)) {
			var kB int
			if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kB); n == 1 {
				t.Logf("%s: %d MB", name, kB/1024)
				total += kB / 1024
			}
		}
	}
	t.Logf("PSS of etcd, NATS, collector and up, %v after the start: %d MB", time.Since(p.started).Round(time.Second), total)
	if total == 0 || total > 600 {
		t.Errorf("%d MB, want under 600", total)
	}
}

// pids returns the process ids of up and its children, by name.
func (p *running) pids() map[string]int {
	pids := map[string]int{"up": p.cmd.Process.Pid}
	for line := range strings.Lines(p.printed()) {
		var e struct {
			Type, Component string
			PID             int
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Type == "ready" {
			pids[e.Component] = e.PID
		}
	}
	return pids
}

func testTrace(t *testing.T, p *running, s *sink) {
	var services []string
	p.eventually(30*time.Second, "a trace with spans of all services, and a log line with its id", func() bool {
		byTrace := make(map[string][]string)
		for _, span := range s.findSpans(func(sinkSpan) bool { return true }) {
			id := hex.EncodeToString(span.TraceId)
			if !slices.Contains(byTrace[id], span.service) {
				byTrace[id] = append(byTrace[id], span.service)
			}
		}
		for id, seen := range byTrace {
			services = seen
			if len(seen) < 3 {
				continue
			}
			logs := s.findLogs(func(l sinkLog) bool { return hex.EncodeToString(l.TraceId) == id })
			if len(logs) >= 2 {
				return true
			}
		}
		return false
	})
	t.Logf("one trace of %v, over HTTP and gRPC", services)
	p.eventually(30*time.Second, "metrics are exported too", func() bool { return s.points("http.server.request.duration") > 0 })
	for _, l := range s.findLogs(func(l sinkLog) bool {
		return strings.HasPrefix(l.Body.GetStringValue(), "order ") || strings.HasPrefix(l.Body.GetStringValue(), "charging")
	}) {
		if len(l.TraceId) == 0 || len(l.SpanId) == 0 {
			t.Fatalf("a log line inside a request without its trace's id: %v", l.LogRecord)
		}
	}
}

func testTelemetryPolicy(t *testing.T, p *running, s *sink) {
	p.eventually(30*time.Second, "a redacted log line", func() bool {
		return len(s.findLogs(func(l sinkLog) bool { return strings.HasPrefix(l.Body.GetStringValue(), "charging card") })) > 0
	})
	s.mu.Lock()
	for _, l := range s.logs {
		if strings.Contains(l.String(), "4111 1111") {
			t.Errorf("a card number left the collector: %v", l.LogRecord)
			break
		}
	}
	for _, span := range s.spans {
		if strings.Contains(span.String(), "/healthz") {
			t.Errorf("a span of a health check left the collector: %v", span.Span)
			break
		}
	}
	s.mu.Unlock()
	for _, rule := range []string{"card-number", "health-check"} {
		p.eventually(30*time.Second, "rule "+rule+" is counted", func() bool {
			return p.counted("otelcol_processor_policy_items", `rule="`+rule+`"`) > 0
		})
		t.Logf("%s: %.0f items", rule, p.counted("otelcol_processor_policy_items", `rule="`+rule+`"`))
	}
}

func testPolicy(t *testing.T, p *running, s *sink) {
	place := func(customer string) string {
		code, body := p.request(customer, "POST", "/orders", `{"item": "book", "quantity": 1}`)
		var order struct{ ID string }
		if err := json.Unmarshal([]byte(body), &order); code != 200 || err != nil {
			t.Fatalf("%d %s", code, body)
		}
		return order.ID
	}
	order := place("bob")
	code, body := p.request("alice", "POST", "/orders/"+order+"/cancel", "")
	if code != 403 || !strings.Contains(body, "not-the-owner") {
		t.Errorf("another customer's order: %d %s", code, body)
	}
	p.eventually(30*time.Second, "the denial is an event with the rule's name", func() bool {
		return len(s.findLogs(func(l sinkLog) bool {
			return l.EventName == semconv.EventPolicyDecide && attribute(l.Attributes, semconv.PolicyRule) == "not-the-owner"
		})) > 0
	})
	if code, body := p.request("bob", "POST", "/orders/"+order+"/cancel", ""); code != 200 {
		t.Errorf("the owner: %d %s", code, body)
	}

	// A pushed bundle changes the answer.
	rules := copyPolicy(t)
	closed := filepath.Join(rules, "closed.rego")
	write(t, closed, "package shop.orders\n\ndeny contains \"closed\" if input.resource.id == \"/shop.v1.Orders/Get\"\n")
	p.must("policy", "push", rules, "--bundle", "shop")
	began := time.Now()
	p.eventually(20*time.Second, "the pushed rule denies", func() bool {
		code, body := p.request("bob", "GET", "/orders/"+order, "")
		return code == 403 && strings.Contains(body, "closed")
	})
	took := time.Since(began)
	t.Logf("the answer changed %v after the push", took)
	if took > 5*time.Second {
		t.Errorf("want a second")
	}

	// A broken one changes nothing and says why.
	write(t, closed, "package shop.orders\n\ndeny contains \"closed\" if nothing.there\n")
	if _, err := p.run("policy", "push", rules, "--bundle", "shop"); err == nil || !strings.Contains(err.Error(), "closed.rego:3") {
		t.Errorf("a broken bundle: %v", err)
	}
	if code, _ := p.request("bob", "GET", "/orders/"+order, ""); code != 403 {
		t.Errorf("the broken bundle changed the answer: %d", code)
	}
	if err := os.Remove(closed); err != nil {
		t.Fatal(err)
	}
	p.must("policy", "push", rules, "--bundle", "shop")
	p.eventually(20*time.Second, "the former rules are back", func() bool {
		code, _ := p.request("bob", "GET", "/orders/"+order, "")
		return code == 200
	})
	if out, err := p.run("policy", "diff", "shop", "-o", "json"); err == nil || !strings.Contains(out, `"file": "closed.rego"`) || !strings.Contains(out, `"removed"`) {
		t.Errorf("the difference of the last two revisions: %v: %s", err, out)
	}
	if _, err := p.run("policy", "diff", "shop", "1", "3"); err != nil {
		t.Errorf("the first and the third are the same: %v", err)
	}
}

func copyPolicy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(checkout(t), "examples", "shop", "policy", "*.rego"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(f)), string(text))
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// testClaims sends measurements as a service that the sender is not, and without
// any token.
func testClaims(t *testing.T, p *running) {
	p.environment(t)
	report := func(name, tokenFile string) {
		tel, err := otelplat.Start(t.Context(), otelplat.WithServiceName(name), otelplat.WithTokenFile(tokenFile),
			otelplat.WithoutGlobals(), otelplat.WithoutRuntimeMetrics(), otelplat.WithConsole(&bytes.Buffer{}))
		if err != nil {
			t.Fatal(err)
		}
		lie(t, tel, "inventory-1", 1000)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_ = tel.Shutdown(ctx) // the refusal is what is wanted
	}
	report("orders", p.tokenFor(t, "mallory"))
	p.eventually(30*time.Second, "a report for another service is counted as denied", func() bool {
		return p.counted("otelcol_processor_policy_claims_items", `reason="denied"`) > 0
	})
	report("orders", filepath.Join(t.TempDir(), "absent"))
	p.eventually(30*time.Second, "a report without a token is counted", func() bool {
		return p.counted("otelcol_extension_policy_auth_refusals", `reason="no_token"`) > 0
	})
	if r := p.signals("inventory")["inventory-1"]; r.State == "bad" {
		t.Errorf("inventory-1 was condemned by reports that nobody vouches for: %+v", r)
	}
}

// lie reports that so many requests to an instance failed.
func lie(t *testing.T, tel *otelplat.Telemetry, instance string, n int) {
	h, err := tel.SignalMeter().Meter(semconv.RouteScope).Float64Histogram(semconv.RouteDuration, metric.WithUnit("s"))
	if err != nil {
		t.Fatal(err)
	}
	attrs := metric.WithAttributeSet(otelattribute.NewSet(
		otelattribute.String(semconv.RouteService, "inventory"), otelattribute.String(semconv.RouteInstance, instance),
		otelattribute.String(semconv.RouteOutcome, semconv.OutcomeError)))
	for range n {
		h.Record(context.Background(), 0.01, attrs)
	}
}

// Each part has a victim of its own: one that fails again soon after it is back stays
// out for longer each time, and would still be out of the shop's own rotation when
// the next part wants it to be in.
func testSignals(t *testing.T, p *running) {
	for _, c := range []struct {
		name   string
		victim string
		client string // the name under which the late client calls
		second bool   // another caller beside the shop's one
	}{
		{"one caller, and the client is its second process", "inventory-1", "orders", false},
		{"one caller, and the client under its own name", "inventory-2", "checkout", false},
		{"two callers, and the client under its own name", "inventory-3", "checkout", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			outer := p.t
			defer func() { p.t = outer }()
			p.t = t
			other := func() clientResult { return clientResult{} }
			if c.second {
				other = p.client(t, "billing", 600, true, 50*time.Millisecond)
			}
			p.wellAgain(t)
			p.failing(t, c.victim)
			r := p.client(t, c.client, 500, true, 0)()
			p.must("demo", "heal", c.victim)
			other()
			t.Logf("%d of its first 500 requests failed (first: %d); answers %v", r.Failed, r.First, r.Served)
			if r.Failed > 10 {
				t.Errorf("%d requests of a client that read the signals hit the instance, want at most 10", r.Failed)
			}
		})
	}
	t.Run("with signals off each is hurt", func(t *testing.T) {
		outer := p.t
		defer func() { p.t = outer }()
		p.t = t
		p.wellAgain(t)
		p.failing(t, "inventory-1")
		var latest []int
		for range 4 { // five at a time: a process each
			var waits []func() clientResult
			for range 5 {
				waits = append(waits, p.client(t, "checkout", 30, false, 0))
			}
			for _, wait := range waits {
				latest = append(latest, wait().First)
			}
		}
		p.must("demo", "heal", "inventory-1")
		t.Logf("20 clients without signals were hurt at request %v", latest)
		for _, first := range latest {
			if first == 0 {
				t.Error("a client without signals was not hurt within 30 requests: the test shows nothing")
			}
		}
	})
}

// failing lets an instance fail until it is healed or the test ends, and waits until
// the fleet knows.
func (p *running) failing(t *testing.T, instance string) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := p.run("demo", "heal", instance); err != nil {
			t.Errorf("heal %s: %v", instance, err)
		}
	})
	defer func() {
		if t.Failed() {
			t.Logf("signals: %+v\nup printed: %s", p.signals("inventory"), tail(p.printed(), 4000))
		}
	}()
	p.must("demo", "fail", instance)
	p.eventually(30*time.Second, "the fleet knows", func() bool { return p.signals("inventory")[instance].State == "bad" })
	p.eventually(30*time.Second, "services says that it is contradicted", func() bool {
		list := p.must("services", "inventory", "--select", "status=contradicted", "-o", "json")
		return strings.Contains(list, `"instance": "`+instance+`"`) && strings.Contains(list, "requests failed")
	})
}

// wellAgain waits until no verdict is left of what came before.
func (p *running) wellAgain(t *testing.T) {
	t.Helper()
	p.eventually(120*time.Second, "all instances are well", func() bool {
		rows := p.signals("inventory")
		for _, r := range rows {
			if r.State != "good" || r.Rate < 3 {
				return false
			}
		}
		return len(rows) == 3
	})
}

// TestDetection measures from the first failed response to the last router that
// still chose the instance, with an ejection base of 1 s.
func TestDetection(t *testing.T) {
	p := up(t, t.TempDir(), "--ejection-base", "1s")
	rounds := 3
	if full() {
		rounds = 20
	}
	p.environment(t)
	const callers = 4
	var all []*caller
	for i := range callers {
		name := fmt.Sprint("probe-", i)
		c, err := newCaller(t.Context(), name, p.tokenFor(t, name), true, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		all = append(all, c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var first atomic.Int64 // failed response of this round, Unix nanoseconds
	for _, c := range all {
		wg.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if _, err := c.reserve(ctx); err != nil && ctx.Err() == nil {
					first.CompareAndSwap(0, time.Now().UnixNano())
				}
			}
		})
	}
	var took []time.Duration
	for range rounds {
		p.wellAgain(t)
		first.Store(0)
		leftOut, last := make([]bool, callers), time.Time{}
		p.must("demo", "fail", "inventory-3")
		p.eventually(30*time.Second, "a response fails", func() bool { return first.Load() != 0 })
		p.eventually(30*time.Second, "every router has left it out", func() bool {
			for i, c := range all {
				if !leftOut[i] && c.out(t, "inventory-3") {
					leftOut[i] = true
					last = time.Now()
				}
			}
			return !slices.Contains(leftOut, false)
		})
		took = append(took, last.Sub(time.Unix(0, first.Load())))
		p.must("demo", "heal", "inventory-3")
	}
	slices.Sort(took)
	t.Logf("from the first failed response to the last router that left the instance out, over %d rounds with %d routers: p50 %v, max %v", rounds, callers, took[len(took)/2], took[len(took)-1])
	if p50 := took[len(took)/2]; p50 > 10*time.Second {
		t.Errorf("p50 %v, want 2 s (the test allows five times that)", p50)
	}
}

// testOneVoice lets one of ten callers lie about a healthy instance.
func testOneVoice(t *testing.T, p *running) {
	p.environment(t)
	p.wellAgain(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var mu sync.Mutex
	served := make(map[string]int)
	for i := range 9 {
		name := fmt.Sprint("honest-", i)
		c, err := newCaller(t.Context(), name, p.tokenFor(t, name), true, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		wg.Go(func() {
			tick := time.NewTicker(25 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if instance, err := c.reserve(ctx); err == nil {
					mu.Lock()
					served[instance]++
					mu.Unlock()
				}
			}
		})
	}
	share := func(d time.Duration) float64 {
		mu.Lock()
		clear(served)
		mu.Unlock()
		wait, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		<-wait.Done()
		mu.Lock()
		defer mu.Unlock()
		total := 0
		for _, n := range served {
			total += n
		}
		return float64(served["inventory-1"]) / float64(max(total, 1))
	}
	share(3 * time.Second) // until it is steady
	before := share(6 * time.Second)
	liar, err := newCaller(t.Context(), "liar", p.tokenFor(t, "liar"), true, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer liar.close()
	wg.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				lie(t, liar.telemetry, "inventory-1", 1000) // 4,000 a second: 100 times an honest caller's
			}
		}
	})
	share(3 * time.Second) // until the lies have arrived
	after := share(8 * time.Second)
	t.Logf("inventory-1 had %.1f %% of the traffic, and with the liar %.1f %%", 100*before, 100*after)
	if after < 0.8*before {
		t.Errorf("it keeps %.0f %% of its traffic, want at least 80 %%", 100*after/before)
	}
	if r := p.signals("inventory")["inventory-1"]; r.State != "good" {
		t.Errorf("the verdict is %+v", r)
	}
}

// testOutage stops a part of the platform, and looks at the shop's customers.
func testOutage(t *testing.T, p *running, part string) {
	long := 10 * time.Second
	if full() {
		long = 60 * time.Second
	}
	p.wellAgain(t)
	before := p.load()
	pids := p.pids()
	memory := resident(t, pids)
	p.must("demo", "outage", part, "--for", long.String())
	p.eventually(10*time.Second, part+" is stopped", func() bool {
		return strings.Contains(p.printed(), `"type":"held"`) && !alive(pids[part])
	})
	most := memory
	p.eventually(long+60*time.Second, part+" is back", func() bool {
		most = max(most, resident(t, pids))
		return p.pids()[part] != pids[part]
	})
	t.Logf("%s away: the shop's services had %d MB, and at most %d MB meanwhile", part, memory, most)
	if most > 2*memory+100 {
		t.Errorf("their memory is not bounded")
	}
	p.eventually(60*time.Second, "requests go on", func() bool { return p.load().Requests > before.Requests+100 })
	after := p.load()
	t.Logf("%s away for %v: %d requests, %d failed", part, long, after.Requests-before.Requests, after.Failed-before.Failed)
	if after.Failed != before.Failed {
		t.Errorf("%d requests failed: %v", after.Failed-before.Failed, after.Reasons)
	}
	// Configuration, discovery, signals and policy converge.
	p.eventually(60*time.Second, "commands work again", func() bool { _, err := p.run("services"); return err == nil })
	p.wellAgain(t)
	p.must("demo", "fail", "inventory-1")
	p.eventually(60*time.Second, "configuration and signals work again", func() bool { return p.signals("inventory")["inventory-1"].State == "bad" })
	p.must("demo", "heal", "inventory-1")
	p.must("policy", "push", copyPolicy(t), "--bundle", "shop")
	row := fmt.Sprintf("| %s | %v | %d of %d requests failed; configuration, policy, discovery and signals converge afterwards |", part, long, after.Failed-before.Failed, after.Requests-before.Requests)
	t.Log("docs/failure.md: ", row)
}

// resident returns the resident memory of the shop's services, in megabytes.
func resident(t *testing.T, pids map[string]int) int {
	total := 0
	for name, pid := range pids {
		if slices.Contains(parts, name) || name == "load" {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			t.Fatal(err)
		}
		var size, pages int
		if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
			t.Fatal(err)
		}
		total += pages * os.Getpagesize() >> 20
	}
	return total
}

func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

func testStop(t *testing.T, p *running) {
	pids := p.pids()
	began := time.Now()
	p.stop()
	took := time.Since(began)
	t.Logf("stopped in %v", took)
	if took > 5*time.Second || p.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("stopped in %v with exit code %d, want under 5 s and 0", took, p.cmd.ProcessState.ExitCode())
	}
	for name, pid := range pids {
		if alive(pid) {
			t.Errorf("%s (%d) is still there", name, pid)
		}
	}
}

// TestAKilledUpLeavesNoProcessAndTheNextGoesOn also shows that `up` works twice on
// the same data, and refuses a second one beside it.
func TestAKilledUpLeavesNoProcessAndTheNextGoesOn(t *testing.T) {
	dir := t.TempDir()
	p := up(t, dir)
	if _, err := p.run("up"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second up on the same data: %v", err)
	}
	pids := p.pids()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for name, pid := range pids {
		for alive(pid) {
			select {
			case <-deadline:
				t.Fatalf("%s (%d) outlives up", name, pid)
			case <-tick.C:
			}
		}
	}
	again := up(t, dir, "--for", "20s")
	select {
	case <-again.exited:
	case <-time.After(60 * time.Second):
		t.Fatal("--for does not end it")
	}
	if code := again.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d after --for", code)
	}
}
