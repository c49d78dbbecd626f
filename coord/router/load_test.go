// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/internal/loadreport"
	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/semconv"
	"google.golang.org/grpc"
)

// saying is a server that says that so many requests are in flight.
func saying(inFlight int, latency time.Duration) func() string {
	r := loadreport.Report{InFlight: inFlight, AtArrival: -1, Latency: latency}
	return func() string { return string(r.AppendText(nil)) }
}

// sparse sends requests so far apart that what is heard with answers is old.
func sparse(t *testing.T, client *http.Client, n int) {
	t.Helper()
	for range n {
		if _, err := send(t, client, http.MethodGet); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func TestInstancesAreAskedForTheirLoadTwiceForARequestAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var peers []*peer
		for i := range 5 {
			p := n.join(fmt.Sprint("i", i))
			p.takes.Store(int64(20 * time.Millisecond))
			p.load = saying(i*10, time.Duration(i+1)*20*time.Millisecond)
			peers = append(peers, p)
		}
		_, client, _ := on(t, n, table(t, instances(peers...)...))
		sparse(t, client, 100)
		asked := int64(0)
		for _, p := range peers {
			asked += p.asked.Load()
		}
		if asked > 200 || asked < 100 {
			t.Errorf("asked %d times for 100 requests", asked)
		}
		if peers[0].served.Load() < 40 || peers[4].served.Load() > 20 {
			t.Errorf("the idle one served %d of 100, the busiest %d", peers[0].served.Load(), peers[4].served.Load())
		}
	})
}

func TestQuestionsAreFiftyASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var peers []*peer
		for i := range 200 { // so many that few were heard of lately
			p := n.join(fmt.Sprintf("i%03d", i))
			p.takes.Store(int64(20 * time.Millisecond))
			p.load = saying(0, 20*time.Millisecond)
			peers = append(peers, p)
		}
		_, client, _ := on(t, n, table(t, instances(peers...)...))
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				for range 500 {
					_, _ = send(t, client, http.MethodGet)
				}
			})
		}
		began := time.Now()
		callers.Wait()
		seconds := time.Since(began).Seconds()
		asked := int64(0)
		for _, p := range peers {
			asked += p.asked.Load()
		}
		if most := int64(50 * (seconds + 1)); asked > most || asked < most/4 {
			t.Errorf("asked %d times in %.1f s", asked, seconds)
		}
	})
}

func TestNobodyIsAskedWhereRequestsTakeLessThanFiveMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.join("a"), n.join("b")
		for _, p := range []*peer{a, b} {
			p.takes.Store(int64(3 * time.Millisecond))
			p.load = saying(0, 3*time.Millisecond)
		}
		_, client, _ := on(t, n, table(t, instances(a, b)...))
		sparse(t, client, 50)
		if got := a.asked.Load() + b.asked.Load(); got != 0 {
			t.Errorf("asked %d times", got)
		}
	})
}

func TestWhoDoesNotOfferItsLoadIsAskedAgainAfterTenMinutes(t *testing.T) {
	for name, c := range map[string]struct {
		load        func() string
		least, most int64 // questions in eleven minutes
	}{
		"404":                      {nil, 2, 2},
		"a report without a count": {func() string { return "TEXT cpu_utilization=0.5" }, 2, 2},
		"a report that is absurd":  {func() string { return "TEXT cpu_utilization=-1" }, 100, 660}, // once a second
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				a, b := n.join("a"), n.join("b")
				for _, p := range []*peer{a, b} {
					p.takes.Store(int64(20 * time.Millisecond))
					p.load = c.load
				}
				_, client, _ := on(t, n, table(t, instances(a, b)...))
				sparse(t, client, 11*60*1000/220)
				if got := a.asked.Load(); got < c.least || got > c.most {
					t.Errorf("asked %d times in eleven minutes", got)
				}
			})
		})
	}
}

func TestSilenceIsNotAskedMoreThanOnceASecondNorBeyondTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var peers []*peer
		for i := range 200 {
			p := n.join(fmt.Sprintf("i%03d", i))
			p.takes.Store(int64(20 * time.Millisecond))
			p.silent.Store(true)
			peers = append(peers, p)
		}
		r, client, reader := on(t, n, table(t, instances(peers...)...), router.WithRules(documentOf(t, "policy: {probes_per_second: 10000, probes: 10}")))
		for range 5 { // something to know the median of
			_, _ = send(t, client, http.MethodGet)
		}
		time.Sleep(time.Second)
		for range 50 {
			go func() { _, _ = send(t, client, http.MethodGet) }()
		}
		time.Sleep(400 * time.Millisecond)
		asked := int64(0)
		for _, p := range peers {
			asked += p.asked.Load()
		}
		if asked > 64+50 { // and those before
			t.Errorf("%d questions at once", asked)
		}
		if got := counts(t, reader, semconv.RouteProbesSkipped, semconv.RouteService); got[""] == 0 {
			t.Errorf("what was not asked is not counted: %v", got)
		}
		r.Close() // waits for the questions, which end with it
	})
}

// offering is the telemetry of servers that report their load, and export nothing.
func offering(t *testing.T) *otelplat.Telemetry {
	t.Helper()
	t.Setenv("OTEL_SDK_DISABLED", "true")
	tel, err := otelplat.Start(t.Context(), otelplat.WithServiceName("orders"), otelplat.WithConsole(io.Discard), otelplat.WithoutGlobals())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tel.Shutdown(context.Background()) })
	return tel
}

func TestWhatAServerSaysOfItsLoadIsForTheRouter(t *testing.T) {
	tel := offering(t)
	var asked, probed atomic.Int64
	handler := tel.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(loadreport.RequestHeader) != "" {
			asked.Add(1)
		}
		time.Sleep(6 * time.Millisecond) // the work
	}), "orders")
	var list []discovery.Instance
	for _, id := range []string{"a", "b"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == loadreport.Path {
				probed.Add(1)
			}
			handler.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		list = append(list, discovery.Instance{Service: "orders", ID: id, Endpoints: []discovery.Endpoint{
			{Protocol: discovery.HTTP, Address: strings.TrimPrefix(server.URL, "http://")}}})
	}
	r, client, _ := newRouter(t, table(t, list...))
	coordtest.Eventually(t, patience, func() bool {
		resp, err := client.Get("http://orders/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.Header.Get(loadreport.ResponseHeader) != "" {
			t.Error("the caller got the report")
		}
		time.Sleep(110 * time.Millisecond) // real: so that the last report is no longer news
		return probed.Load() > 2
	}, "they are asked")
	if asked.Load() == 0 {
		t.Error("the header was not sent")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(loadreport.RequestHeader, loadreport.Format)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Header.Get(loadreport.ResponseHeader) == "" {
		t.Error("who asked itself did not get the report")
	}
	r.Close()
}

// reporter counts who asks it.
type reporter struct{ asked atomic.Int64 }

func (r *reporter) Report() loadreport.Report {
	r.asked.Add(1)
	return loadreport.Report{AtArrival: -1, Latency: 10 * time.Millisecond}
}

func TestInstancesAreAskedByTheConnectionsOfTheirRPCs(t *testing.T) {
	a, b := newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
	var reports reporter
	with := reporting(t, "c", &reports)
	for _, b := range []*rpcBackend{a, b, with} {
		b.takes.Store(int64(6 * time.Millisecond))
	}
	d := table(t, a.Instance, b.Instance, with.Instance)
	r, _, _ := newRouter(t, d)
	client := dial(t, r)
	connects(t, client, a, b, with)
	coordtest.Eventually(t, patience, func() bool {
		if err := check(t.Context(), client, ""); err != nil {
			t.Error(err) // who does not offer reports answers its calls all the same
		}
		time.Sleep(20 * time.Millisecond) // real: questions go with requests, fifty a second
		return reports.asked.Load() > 3
	}, "it is asked")
	// It moves: the questions follow.
	var elsewhere reporter
	moved := reporting(t, "c", &elsewhere)
	if err := d.Set(a.Instance, b.Instance, moved.Instance); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool {
		_ = check(t.Context(), client, "")
		time.Sleep(20 * time.Millisecond)
		return elsewhere.asked.Load() > 3
	}, "it is asked where it is")
}

// reporting is an instance that answers questions for its load.
func reporting(t *testing.T, id string, r *reporter) *rpcBackend {
	t.Helper()
	b := newRPCBackend(t, id, "")
	loadreport.Register(b.server, r)
	b.serve(t, "127.0.0.1:0")
	return b
}

func TestServersOfOtelplatReportTheirLoadWithEveryRPC(t *testing.T) {
	tel := offering(t)
	var probed atomic.Int64
	count := func(ctx context.Context, in any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if info.FullMethod == loadreport.Method {
			probed.Add(1)
		}
		return handler(ctx, in)
	}
	var list []discovery.Instance
	var backends []*rpcBackend
	for _, id := range []string{"a", "b"} {
		b := newRPCBackend(t, id, "", append([]grpc.ServerOption{grpc.UnaryInterceptor(count)}, tel.GRPCServerOptions()...)...)
		tel.RegisterLoadReports(b.server)
		b.serve(t, "127.0.0.1:0")
		b.takes.Store(int64(6 * time.Millisecond))
		backends, list = append(backends, b), append(list, b.Instance)
	}
	r, _, _ := newRouter(t, table(t, list...))
	client := dial(t, r)
	connects(t, client, backends...)
	for range 30 { // one after the other: their reports are news, and nobody is asked
		if err := check(t.Context(), client, ""); err != nil {
			t.Fatal(err)
		}
	}
	probed.Store(0)
	for range 30 {
		if err := check(t.Context(), client, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := probed.Load(); n > 10 {
		t.Errorf("asked %d times, though 30 answers told the load", n)
	}
	coordtest.Eventually(t, patience, func() bool {
		_ = check(t.Context(), client, "")
		time.Sleep(110 * time.Millisecond)
		return probed.Load() > 10
	}, "they are asked when they were not heard of lately")
}
