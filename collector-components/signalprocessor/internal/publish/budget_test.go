// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/signal/capacity"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// counting is a store that counts what it is told.
type counting struct {
	now     func() time.Duration
	data    map[string][]byte
	puts    map[int]int // by second
	bytes   map[int]int
	service map[string]int // bytes by service, from the measured second on
	since   time.Duration
	largest int
}

func newCounting(now func() time.Duration) *counting {
	return &counting{now: now, data: make(map[string][]byte), puts: make(map[int]int), bytes: make(map[int]int), service: make(map[string]int)}
}

func (c *counting) Grant(context.Context, time.Duration) (clientv3.LeaseID, error) { return 7, nil }
func (c *counting) Renew(context.Context, clientv3.LeaseID) error                  { return nil }
func (c *counting) Revoke(context.Context, clientv3.LeaseID) error                 { return nil }

func (c *counting) Commit(_ context.Context, ops ...clientv3.Op) error {
	for _, op := range ops {
		key := string(op.KeyBytes())
		if !op.IsPut() {
			delete(c.data, key)
			continue
		}
		size := len(key) + len(op.ValueBytes())
		second := int(c.now() / time.Second)
		c.data[key] = op.ValueBytes()
		c.puts[second]++
		c.bytes[second] += size
		c.largest = max(c.largest, len(op.ValueBytes()))
		if c.now() >= c.since {
			c.service[strings.Split(key, "/")[2]] += size
		}
	}
	return nil
}

// collector is a publisher on a clock of its own.
type collector struct {
	*Publisher
	throttled int
}

func newCollector(store Store, name string, now func() time.Duration, instances int) *collector {
	c := &collector{}
	c.Publisher = &Publisher{
		Store: store, Prefix: "/n/", Collector: name, Aggregate: aggregate.New(30*time.Second, instances), Lock: &sync.Mutex{}, Now: now, Log: zap.NewNop(),
		Stats: Stats{Put: func(int) {}, Deleted: func(int) {}, Failed: func(error) {}, Throttled: func(n int) { c.throttled += n }},
	}
	return c
}

// load is what the callers of one instance do.
type load struct {
	target  aggregate.Target
	rate    float64 // requests a second, of all callers
	latency float64 // median, seconds
	failing float64
	since   int // second in which it began to fail
}

// measured is what one caller's process exports of it each second.
func (l *load) measured(r *rand.Rand, callers int, each func(*aggregate.Measurement)) {
	n := poisson(r, l.rate/float64(callers))
	var ok, failed aggregate.Measurement
	var h signal.Histogram
	for range n {
		took := l.latency * math.Exp(0.5*r.NormFloat64())
		if r.Float64() < l.failing {
			failed.Count++
			failed.Sum += took
			continue
		}
		ok.Count++
		h.Record(took, 1)
	}
	if ok.Count > 0 {
		ok.Sum, ok.Scale, ok.Offset, ok.Buckets = h.Sum, signal.Scale, h.Offset, h.Counts
		each(&ok)
	}
	if failed.Count > 0 {
		failed.Outcome = aggregate.Error
		each(&failed)
	}
}

func poisson(r *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(mean+math.Sqrt(mean)*r.NormFloat64()+0.5))
	}
	n, p, limit := 0, r.Float64(), math.Exp(-mean)
	for ; p > limit; n++ {
		p *= r.Float64()
	}
	return n
}

// TestTheBudgetOfAFleet has 1,000 services of 10 instances, four callers each, and three
// collectors, in virtual time. Callers and servers report once a second; some instances
// fail, some services have their load change by a half. Every other service has four routes.
func TestTheBudgetOfAFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	const (
		services, instances, collectors, callers = 1000, 10, 3, 4
		warmUp, measured                         = 15, 20 // seconds
		routes                                   = 4
		followed                                 = 10 // services that one reader calls
	)
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Hour
	clock := func() time.Duration { return now }
	store := newCounting(clock)
	store.since = now + warmUp*time.Second
	var fleet [collectors]*collector
	for i := range fleet {
		fleet[i] = newCollector(store, fmt.Sprint("collector-", i), clock, services*instances)
	}
	var loads []*load
	for s := range services {
		rate := math.Exp(r.Float64() * math.Log(100)) // 1 to 100 requests a second and instance
		for i := range instances {
			loads = append(loads, &load{
				target: aggregate.Target{Service: fmt.Sprint("service-", s), Instance: fmt.Sprintf("service-%d-%d", s, i), Zone: fmt.Sprint("zone-", i%3)},
				rate:   rate, latency: 0.002 * math.Exp(r.Float64()*3), failing: 0.002,
			})
		}
	}
	for second := range warmUp + measured {
		if second >= warmUp { // what changes: each second five instances fail, and ten services' load
			for range 5 {
				l := loads[r.IntN(len(loads))]
				l.failing, l.since = 0.9, second
			}
			for range 10 {
				s, factor := r.IntN(services), []float64{0.5, 1.5}[r.IntN(2)]
				for i := range instances {
					loads[s*instances+i].rate *= factor
				}
			}
		}
		for i, l := range loads {
			for c := range callers {
				l.measured(r, callers, func(m *aggregate.Measurement) {
					if i/instances%2 == 0 {
						m.Route = fmt.Sprint("route-", r.IntN(routes))
					}
					if err := fleet[(i/instances+c)%collectors].Aggregate.Record(now, signal.HashCaller(fmt.Sprint("caller-", i/instances%97, c)), l.target, m); err != nil {
						t.Fatal(err)
					}
				})
			}
			n := poisson(r, l.rate)
			report := capacity.Report{Completions: uint64(n), InRequests: float64(n) * l.latency, Timed: true, CPU: float64(n) * l.latency * 0.9, Covers: 1, Allocation: 4}
			if err := fleet[i%collectors].Aggregate.Serve(now, 1, l.target, aggregate.Router, report); err != nil {
				t.Fatal(err)
			}
		}
		for range int(time.Second / Interval) {
			now += Interval
			for _, c := range fleet {
				if err := c.round(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}

	first := int(time.Hour / time.Second)
	var total, totalBytes, mostPuts, mostBytes int
	for s := first; s <= first+warmUp+measured; s++ {
		mostPuts, mostBytes = max(mostPuts, store.puts[s]), max(mostBytes, store.bytes[s])
		if s > first+warmUp {
			total += store.puts[s]
			totalBytes += store.bytes[s]
		}
	}
	perService := 0
	for _, n := range store.service {
		perService += n
	}
	reader := float64(perService) / services / measured * followed
	bad, known := 0, 0 // of those that had requests enough, for 5 s and more
	failing, well := make(map[string]bool), make(map[string]bool)
	for _, l := range loads {
		well[l.target.Instance] = l.since == 0
		if l.since > 0 && l.since < warmUp+measured-5 && l.rate > 5 {
			failing[l.target.Instance] = true
			bad++
		}
	}
	for s := range services {
		var shares []*signal.Share
		for c := range collectors {
			share, err := signal.Decode(store.data["/n/"+signal.Key(fmt.Sprint("service-", s), 0, 1, fmt.Sprint("collector-", c))])
			if err != nil {
				t.Fatal(err)
			}
			shares = append(shares, share)
		}
		fleet := signal.Merge(shares)
		if n := len(fleet.Scopes); n != 1+routes*(1-s%2) {
			t.Errorf("service %d has %d scopes", s, n)
		}
		if c := fleet.Circuit(""); c.State != signal.Closed {
			t.Errorf("one or two instances of ten fail, and %v", c)
		}
		for id, in := range fleet.Instances {
			if failing[id] && in.Verdict.State == signal.Bad {
				known++
			} else if well[id] && in.Verdict.State == signal.Bad {
				t.Errorf("%s is well, and %v", id, in.Verdict)
			}
		}
	}
	t.Logf("%d services × %d instances × %d collectors: at most %d puts and %.2f MB in a second; then %.0f puts/s and %.2f MB/s; a reader of %d services takes %.1f kB/s; the largest share is %.1f kB; %d waited; %d of %d instances that fail are known to",
		services, instances, collectors, mostPuts, float64(mostBytes)/1e6, float64(total)/measured, float64(totalBytes)/1e6/measured,
		followed, reader/1e3, float64(store.largest)/1e3, fleet[0].throttled+fleet[1].throttled+fleet[2].throttled, known, bad)
	if mostPuts > 1000 || mostBytes > 2_000_000 {
		t.Errorf("%d puts and %d bytes in one second, want at most 1,000 and 2 MB", mostPuts, mostBytes)
	}
	if reader > 20_000 {
		t.Errorf("a reader takes %.0f bytes a second, want at most 20,000", reader)
	}
	if known < bad {
		t.Errorf("%d of %d instances that fail are known to", known, bad)
	}
}

// Callers may say what they like of latencies: what is written can be read.
func TestSharesKeepToTheirSizeWhateverCallersSay(t *testing.T) {
	now := time.Hour
	store := newCounting(func() time.Duration { return now })
	c := newCollector(store, "c", store.now, 10_000)
	everywhere := &aggregate.Measurement{Scale: signal.Scale, Offset: -160}
	for range 256 {
		everywhere.Buckets = append(everywhere.Buckets, 1_000_000)
		everywhere.Count += 1_000_000
	}
	everywhere.Sum = float64(everywhere.Count)
	const instances = 500
	for range 12 {
		for i := range instances {
			for caller := range 32 {
				target := aggregate.Target{Service: "s", Instance: fmt.Sprintf("an-instance-with-a-long-name-%d", i)}
				if caller > 0 {
					if err := c.Aggregate.Record(now, uint64(caller)<<40, target, &aggregate.Measurement{Outcome: aggregate.Error, Count: 1_000_000, Sum: 1e6}); err != nil {
						t.Fatal(err)
					}
				} else if err := c.Aggregate.Record(now, 1, target, everywhere); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range int(time.Second / Interval) {
			now += Interval
			if err := c.round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 120 { // as many rounds as the bucket of bytes asks for
		now += Interval
		if err := c.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	known := make(map[string]bool)
	for key, value := range store.data {
		share, err := signal.Decode(value)
		if err != nil {
			t.Fatalf("%s cannot be read: %v", key, err)
		}
		for _, in := range share.Instances {
			known[in.ID] = true
		}
	}
	if len(known) != instances || store.largest > signal.MaxShareBytes {
		t.Errorf("%d instances are known, want %d; the largest share is %d bytes", len(known), instances, store.largest)
	}
	t.Logf("%d shares, the largest of %d bytes", len(store.data), store.largest)
}

func TestNoShareWaitsForEverBehindOthers(t *testing.T) {
	now := time.Hour
	store := newCounting(func() time.Duration { return now })
	c := newCollector(store, "c", store.now, 10_000)
	written := make(map[string]bool)
	for range 60 { // each round more changes than a round may write
		for i := range 300 {
			m := &aggregate.Measurement{Count: uint64(1 + 1000*(len(store.puts)%2)), Sum: 1}
			if err := c.Aggregate.Record(now, 1, aggregate.Target{Service: fmt.Sprintf("s%03d", i), Instance: "a"}, m); err != nil {
				t.Fatal(err)
			}
		}
		now += Interval
		if err := c.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for key := range store.data {
		written[key] = true
	}
	if len(written) != 300 || c.throttled == 0 {
		t.Errorf("%d of 300 were ever written, %d waited", len(written), c.throttled)
	}
}
