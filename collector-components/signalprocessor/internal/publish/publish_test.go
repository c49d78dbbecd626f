// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/signal"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// running is a publisher with what a test needs to look at it.
type running struct {
	*Publisher
	puts, deletes, failures, throttled atomic.Int64
	stop                               func()
}

func run(t *testing.T, c *coord.Client, collector string) *running {
	t.Helper()
	started := time.Now()
	r := &running{}
	r.Publisher = &Publisher{
		Store: Etcd(c), Prefix: c.Prefix(), Collector: collector, Aggregate: aggregate.New(5*time.Second, 10_000), Lock: &sync.Mutex{},
		Now: func() time.Duration { return time.Hour + time.Since(started) }, Log: zap.NewNop(),
		Stats: Stats{
			Put: func(int) { r.puts.Add(1) }, Deleted: func(n int) { r.deletes.Add(int64(n)) },
			Failed: func(error) { r.failures.Add(1) }, Throttled: func(int) { r.throttled.Add(1) },
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(r.stop)
	return r
}

func (r *running) report(t *testing.T, service, instance, caller string, ok, failed uint64) {
	t.Helper()
	r.Lock.Lock()
	defer r.Lock.Unlock()
	target := aggregate.Target{Service: service, Instance: instance}
	for outcome, n := range map[aggregate.Outcome]uint64{aggregate.OK: ok, aggregate.Error: failed} {
		if n == 0 {
			continue
		}
		m := &aggregate.Measurement{Outcome: outcome, Count: n, Sum: 0.1, Buckets: []uint64{n}}
		if err := r.Aggregate.Record(r.Now(), signal.HashCaller(caller), target, m); err != nil {
			t.Fatal(err)
		}
	}
}

func follow(t *testing.T, c *coord.Client, service string) signal.Follower {
	t.Helper()
	source := signal.Etcd(c)
	t.Cleanup(func() { source.Close() })
	f, err := source.Service(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// state returns the verdict that readers have, "unknown" without one.
func state(f signal.Follower, instance string) string {
	if fleet := f.Fleet(); fleet != nil && fleet.Instances[instance] != nil {
		return fleet.Instances[instance].Verdict.State.String()
	}
	return "unknown"
}

func TestReadersLearnOfAVerdict(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	f := follow(t, c, "s")
	p := run(t, c, "c1")
	p.report(t, "s", "a", "x", 20, 0)
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "good" }, "the instance is known")
	began := time.Now()
	p.report(t, "s", "a", "x", 0, 200)
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "bad" }, "the verdict is known")
	t.Logf("from the report to the reader: %v", time.Since(began))
	p.stop()
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "unknown" }, "a collector that stopped takes its shares away")
}

func TestTwoCollectorsAreMerged(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	f := follow(t, c, "s")
	one, two := run(t, c, "c1"), run(t, c, "c2")
	one.report(t, "s", "a", "x", 0, 20)
	two.report(t, "s", "a", "y", 200, 0)
	two.report(t, "s", "a", "z", 200, 0)
	coordtest.Eventually(t, patience, func() bool {
		fleet := f.Fleet()
		return fleet != nil && fleet.Instances["a"] != nil && fleet.Instances["a"].Verdict.Callers == 3
	}, "the callers of both collectors")
	if got := state(f, "a"); got != "good" && got != "probation" {
		t.Errorf("%s: what one of three callers saw ejects nobody", got)
	}
}

func TestEtcdAwayCostsNothingAndEverythingIsWrittenAfterwards(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	f := follow(t, c, "s")
	p := run(t, c, "c1")
	p.report(t, "s", "a", "x", 20, 0)
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "good" }, "the instance is known")
	server.Stop()
	p.report(t, "s", "a", "x", 0, 200) // returns though nothing can be written
	coordtest.Eventually(t, patience, func() bool { return p.failures.Load() > 0 }, "the publisher notices")
	server.Start()
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "bad" }, "the verdict after etcd's return")
}

func TestALostLeaseIsFollowedByEverything(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	f := follow(t, c, "s")
	p := run(t, c, "c1")
	p.report(t, "s", "a", "x", 20, 0)
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "good" }, "the instance is known")
	leases, err := c.Etcd().Leases(t.Context())
	if err != nil || len(leases.Leases) != 1 {
		t.Fatal(leases, err)
	}
	if _, err := c.Etcd().Revoke(t.Context(), leases.Leases[0].ID); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "unknown" }, "its shares are gone")
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "good" }, "and are written again")
}

func TestAFloodWaitsForTheBucketVerdictsFirst(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	last := follow(t, c, "zz")
	p := run(t, c, "c1")
	p.Lock.Lock()
	for i := range 3 * PutsPerSecond {
		m := &aggregate.Measurement{Count: 20, Sum: 0.1, Buckets: []uint64{20}}
		if err := p.Aggregate.Record(p.Now(), 1, aggregate.Target{Service: fmt.Sprint("s", i), Instance: "a"}, m); err != nil {
			t.Fatal(err)
		}
	}
	m := &aggregate.Measurement{Outcome: aggregate.Error, Count: 20, Sum: 0.1}
	if err := p.Aggregate.Record(p.Now(), 1, aggregate.Target{Service: "zz", Instance: "a"}, m); err != nil {
		t.Fatal(err)
	}
	p.Lock.Unlock()
	coordtest.Eventually(t, patience, func() bool { return state(last, "a") == "bad" }, "the verdict")
	if n := p.puts.Load(); n > 2*PutsPerSecond {
		t.Errorf("%d shares were written before the verdict", n)
	}
	coordtest.Eventually(t, patience, func() bool { return p.puts.Load() > 3*PutsPerSecond }, "all the others")
	if p.throttled.Load() == 0 {
		t.Error("nothing was counted as waiting")
	}
}

func TestAGrowingServiceChangesItsLayout(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	p := run(t, c, "c1")
	keys := func() []string {
		resp, err := c.Etcd().Get(t.Context(), c.Key("signal", "s")+"/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, kv := range resp.Kvs {
			list = append(list, strings.TrimPrefix(string(kv.Key), c.Prefix()))
		}
		return list
	}
	p.report(t, "s", "i0", "x", 20, 0)
	coordtest.Eventually(t, patience, func() bool { k := keys(); return len(k) == 1 && k[0] == "signal/s/0-1/c1" }, "one share")
	for i := range 200 {
		p.report(t, "s", fmt.Sprint("i", i), "x", 20, 0)
	}
	coordtest.Eventually(t, patience, func() bool {
		k := keys()
		for _, key := range k {
			if strings.Contains(key, "-1/") {
				return false
			}
		}
		return len(k) >= 4
	}, "the shares of the new layout, and none of the old")
	f := follow(t, c, "s")
	if n := len(f.Fleet().Instances); n != 200 {
		t.Errorf("%d instances are known", n)
	}
	if s := f.Fleet().Scopes[""]; s == nil || s.Window(60) == nil {
		t.Errorf("the service as a whole: %+v", s)
	}
}

// The circuit is in the share of shard 0, whatever instances are there.
func TestACircuitOpensForEveryReader(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	f := follow(t, c, "s")
	p := run(t, c, "c1")
	p.report(t, "s", "a", "x", 20, 0)
	coordtest.Eventually(t, patience, func() bool { return state(f, "a") == "good" }, "the instance is known")
	if got := f.Fleet().Circuit(""); got.State != signal.Closed {
		t.Errorf("%v", got)
	}
	for _, caller := range []string{"x", "y", "z"} {
		p.report(t, "s", "a", caller, 0, 200)
	}
	coordtest.Eventually(t, patience, func() bool { fleet := f.Fleet(); return fleet != nil && fleet.Circuit("").State == signal.Open }, "the circuit is open")
}
