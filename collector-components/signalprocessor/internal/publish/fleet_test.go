// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/signal"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// metered counts what is written to a store, by second.
type metered struct {
	Store
	mu      sync.Mutex
	since   time.Time
	ops     map[int]int
	bytes   map[int]int
	service map[string]int // bytes
}

func (m *metered) Commit(ctx context.Context, ops ...clientv3.Op) error {
	err := m.Store.Commit(ctx, ops...)
	m.mu.Lock()
	defer m.mu.Unlock()
	second := int(time.Since(m.since) / time.Second)
	for _, op := range ops {
		size := len(op.KeyBytes()) + len(op.ValueBytes())
		m.ops[second]++
		m.bytes[second] += size
		_, rest, _ := strings.Cut(string(op.KeyBytes()), signal.KeyPrefix)
		name, _, _ := strings.Cut(rest, "/")
		m.service[name] += size
	}
	return err
}

// restart forgets what was counted.
func (m *metered) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.since = time.Now()
	clear(m.ops)
	clear(m.bytes)
	clear(m.service)
}

// process is one of the fleet's: a router, and what its telemetry says each second of the
// services that it calls.
type process struct {
	router    *router.Router
	caller    uint64
	collector *Publisher
	services  []int
	exported  time.Time
}

// fleet is many routers of one process, and the collectors that they report to.
type fleet struct {
	processes []*process
	ids       [][]string // of instances, by service

	mu    sync.Mutex
	fault map[string]time.Time         // when an instance began to fail
	out   map[*process]map[string]bool // who sends to it no more
}

const (
	fleetServices, fleetInstances = 200, 10
	fleetRouters, fleetCallers    = 1000, 200
	called                        = 5    // services that a router calls, of which the first is everybody's
	callRate                      = 10.0 // requests a second of a router to a service
)

// export takes in what a process measured of each instance since it exported last.
func (f *fleet) export(t *testing.T, r *rand.Rand, p *process) {
	now := time.Now()
	elapsed := now.Sub(p.exported).Seconds()
	p.exported = now
	f.mu.Lock()
	defer f.mu.Unlock()
	p.collector.Lock.Lock()
	defer p.collector.Lock.Unlock()
	for _, s := range p.services {
		for _, id := range f.ids[s] {
			if f.out[p][id] {
				continue // a probe now and then, which does not matter here
			}
			all := poisson(r, callRate/fleetInstances*elapsed)
			failed := 0
			if since, failing := f.fault[id]; failing {
				for range all {
					if r.Float64()*elapsed < now.Sub(since).Seconds() {
						failed++
					}
				}
			}
			for outcome, n := range map[aggregate.Outcome]int{aggregate.OK: all - failed, aggregate.Error: failed} {
				if n == 0 {
					continue
				}
				m := &aggregate.Measurement{Outcome: outcome, Count: uint64(n), Sum: 0.01 * float64(n)}
				if outcome == aggregate.OK {
					m.Scale, m.Offset, m.Buckets = signal.Scale, signal.Bucket(0.01), []uint64{uint64(n)}
				}
				target := aggregate.Target{Service: serviceName(s), Instance: id}
				if err := p.collector.Aggregate.Record(p.collector.Now(), p.caller, target, m); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func serviceName(s int) string { return fmt.Sprintf("service-%03d", s) }

// run exports for all processes, each once a second at a time of its own, until the context
// ends.
func (f *fleet) run(ctx context.Context, t *testing.T) {
	const parts = 40
	r := rand.New(rand.NewPCG(3, 4))
	tick := time.NewTicker(time.Second / parts)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i := n % parts; i < len(f.processes); i += parts {
			f.export(t, r, f.processes[i])
		}
	}
}

// left reports whether a process's router keeps an instance out.
func (f *fleet) left(t *testing.T, p *process, service, id string) bool {
	choices, err := p.router.Explain(service)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range choices {
		if c.Member.ID == id {
			return c.State == router.EjectedByFleet
		}
	}
	return false
}

// TestAFleetLeavesABadInstance has a thousand routers, which call five services each of two
// hundred, and three collectors, which write to a real etcd by the real rules in real time.
// The routers are real, and their requests are not: what each would have measured is given to
// its collector once a second, so that nobody knows of a fault but by the signals (with
// requests of its own a router sees five failures in a row earlier). They share one mirror of
// each service, in place of the fifty that a service's callers would have; what each would
// receive is counted.
func TestAFleetLeavesABadInstance(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	const collectors, rounds = 3, 4
	client := coordtest.Client(t, coordtest.Etcd(t))
	source := signal.Etcd(client)
	t.Cleanup(func() { source.Close() })
	store := &metered{Store: Etcd(client), since: time.Now(), ops: make(map[int]int), bytes: make(map[int]int), service: make(map[string]int)}

	f := &fleet{fault: make(map[string]time.Time), out: make(map[*process]map[string]bool)}
	var members []discovery.Instance
	for s := range fleetServices {
		var ids []string
		for i := range fleetInstances {
			id := fmt.Sprintf("%s-%d", serviceName(s), i)
			ids = append(ids, id)
			members = append(members, discovery.Instance{Service: serviceName(s), ID: id,
				Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}}})
		}
		f.ids = append(f.ids, ids)
	}
	table, err := discovery.Static(members...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	started := time.Now()
	var publishers []*Publisher
	for i := range collectors {
		p := newCollector(store, fmt.Sprint("collector-", i), func() time.Duration { return time.Hour + time.Since(started) }, 10_000).Publisher
		p.Prefix, p.Log = client.Prefix(), zap.NewNop()
		p.Stats.Throttled = func(int) {}
		publishers = append(publishers, p)
		running.Go(func() { p.Run(ctx) })
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	for i := range fleetRouters {
		r, err := router.New(table, router.WithSignals(source), router.WithLogger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		p := &process{router: r, caller: signal.HashCaller(fmt.Sprint("caller-", i%fleetCallers)), collector: publishers[i%collectors], services: []int{0}, exported: time.Now()}
		for k := range called - 1 {
			p.services = append(p.services, 1+(i*(called-1)+k)%(fleetServices-1))
		}
		for _, s := range p.services {
			if err := r.Ready(t.Context(), serviceName(s)); err != nil {
				t.Fatal(err)
			}
		}
		f.processes = append(f.processes, p)
		f.out[p] = make(map[string]bool)
	}
	running.Go(func() { f.run(ctx, t) })
	coordtest.Eventually(t, patience, func() bool {
		follower, err := source.Service(t.Context(), serviceName(0))
		return err == nil && follower.Fleet() != nil && len(follower.Fleet().Instances) == fleetInstances
	}, "the fleet knows the service that all call")
	pause(t, 12*time.Second) // the windows are full: what is written now is change

	store.restart()
	var took []time.Duration
	for round := range rounds {
		pause(t, 2*time.Second)
		id := f.ids[0][round]
		began := time.Now()
		f.mu.Lock()
		f.fault[id] = began
		f.fault[f.ids[1+round*40][0]] = began // and one that few call
		f.mu.Unlock()
		waiting := slices.Clone(f.processes)
		coordtest.Eventually(t, patience, func() bool {
			waiting = slices.DeleteFunc(waiting, func(p *process) bool {
				if !f.left(t, p, serviceName(0), id) {
					return false
				}
				took = append(took, time.Since(began))
				f.mu.Lock()
				f.out[p][id] = true
				f.mu.Unlock()
				return true
			})
			return len(waiting) == 0
		}, "all routers left %s", id)
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	seconds := time.Since(store.since).Seconds()
	ops, bytes, mostOps, mostBytes := 0, 0, 0, 0
	for s, n := range store.ops {
		ops, bytes = ops+n, bytes+store.bytes[s]
		mostOps, mostBytes = max(mostOps, n), max(mostBytes, store.bytes[s])
	}
	most, mean := 0.0, 0.0
	for _, p := range f.processes {
		sum := 0.0
		for _, s := range p.services {
			sum += float64(store.service[serviceName(s)]) / seconds
		}
		most, mean = max(most, sum), mean+sum/fleetRouters
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	average, _ := os.ReadFile("/proc/loadavg")
	t.Logf("%d routers, %d services × %d instances, %d collectors: %.0f writes/s and %.2f MB/s to etcd, at most %d and %.2f MB in a second; a router receives %.1f kB/s, at most %.1f; from an instance's fault to the router that leaves it: p50 %v, p99 %v, last %v, over %d rounds; load average %s",
		fleetRouters, fleetServices, fleetInstances, collectors, float64(ops)/seconds, float64(bytes)/1e6/seconds, mostOps, float64(mostBytes)/1e6,
		mean/1e3, most/1e3, p50.Round(time.Millisecond), p99.Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), rounds, strings.TrimSpace(string(average)))
	if mostOps > 1000 || mostBytes > 2_000_000 {
		t.Errorf("%d writes and %d bytes in one second, want at most 1,000 and 2 MB", mostOps, mostBytes)
	}
	if most > 20_000 {
		t.Errorf("a router receives %.0f bytes a second, want at most 20,000", most)
	}
	if p99 > 10*time.Second {
		t.Errorf("p99 %v, want 2 s (the test allows five times that)", p99)
	}
}

// pause lets time pass that is measured, not waited for.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the test ended")
	}
}
