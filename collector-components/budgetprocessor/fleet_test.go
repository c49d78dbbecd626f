// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/metadata"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/slice"
	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/coord/coordtest"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/processor/processortest"
)

// collector is a ledger of a fleet under load, with its own way to etcd.
type collector struct {
	*ledger
	proxy  *coordtest.Proxy
	orders *account
	dead   atomic.Bool
}

func join(t *testing.T, address, name string) *collector {
	t.Helper()
	c := &collector{proxy: coordtest.NewProxy(t, address)}
	cfg := defaultConfig()
	cfg.Budgets.Defaults.SpansPerSecond = of(3000.)
	cfg.Fleet = &FleetConfig{
		Name: "test", Collector: name, Collectors: 4, Lease: 6 * time.Second,
		Etcd: &etcdconfig.Config{Endpoints: []string{"http://" + c.proxy.Address()}, Namespace: "test"},
	}
	var err error
	if c.ledger, err = open(cfg, processortest.NewNopSettings(typ)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.orders = c.account("", traceOf("orders", 0, "").ResourceSpans().At(0).Resource())
	return c
}

// part is what of the budget it may use.
func (c *collector) part() float64 { return c.limits(&c.orders.holder).of[spans] / 3000 }

// load sends ten times the budget to the collectors that live, until the test ends.
func load(t *testing.T, collectors []*collector) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for _, c := range collectors {
				if !c.dead.Load() {
					c.spans(c.orders, traceOf("orders", 500, "").ResourceSpans().At(0))
				}
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func TestACollectorThatCanReadEtcdButNotWriteHasWhatIsLeftOfAnEqualPart(t *testing.T) {
	etcd := coordtest.Etcd(t)
	cfg := defaultConfig()
	cfg.Budgets.Defaults.SpansPerSecond = of(3000.)
	cfg.Fleet = &FleetConfig{
		Name: "test", Collector: "reader", Collectors: 4,
		Etcd: &etcdconfig.Config{Endpoints: []string{"http://" + etcd.Address()}, Namespace: "test"},
	}
	tel, err := metadata.NewTelemetryBuilder(componenttest.NewTelemetry().NewTelemetrySettings())
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(cfg)
	l.tel = &telemetry{TelemetryBuilder: tel}
	f, err := openFleet(t.Context(), l, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	key := f.key
	f.key = "" // which etcd refuses
	a := l.account("", traceOf("orders", 0, "").ResourceSpans().At(0).Resource())
	part := func() float64 { return l.limits(&a.holder).of[spans] / 3000 }
	round := func() { _ = f.round(t.Context()) }
	coordtest.Eventually(t, 10*time.Second, func() bool { round(); return f.pending != nil }, "a share to write")
	if p := part(); p != 0.025 {
		t.Errorf("it has %v of the budget before it knows that it cannot write, expected the floor", p)
	}
	l.started = l.started.Add(-aloneAfter)
	round()
	if p := part(); p != 0.25 {
		t.Errorf("it has %v of the budget, expected one of four parts", p)
	}
	other := slice.Encode(slice.Share{Sequence: 1, Default: 0.9})
	if _, err := f.client.Etcd().Put(t.Context(), f.client.Prefix()+"budget/test/other", string(other)); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, 10*time.Second, func() bool { round(); return math.Abs(part()-0.1) < 1e-9 }, "what the other leaves")
	f.key = key
	coordtest.Eventually(t, 10*time.Second, func() bool { round(); return f.heard && f.pending == nil }, "a written share")
	coordtest.Eventually(t, 10*time.Second, func() bool { round(); return len(f.view()) == 2 && part() <= 0.1+1e-9 }, "its place among the others")
}

func TestThreeCollectorsShareABudgetThroughEtcdAndTakeOverFromOneThatIsKilled(t *testing.T) {
	etcd := coordtest.Etcd(t)
	var all []*collector
	for i := range 3 {
		all = append(all, join(t, etcd.Address(), fmt.Sprint("c", i)))
	}
	load(t, all)
	parts := func() (sum float64, each []float64) {
		for _, c := range all {
			if !c.dead.Load() {
				each = append(each, c.part())
				sum += c.part()
			}
		}
		return sum, each
	}
	even := func() bool {
		_, each := parts()
		for _, p := range each {
			if math.Abs(p-1/float64(len(each))) > 0.05 {
				return false
			}
		}
		return true
	}
	coordtest.Eventually(t, 30*time.Second, even, "a third of the budget for each")

	// What is sampled from here on holds at every look.
	stop, done := make(chan struct{}), make(chan float64)
	go func() {
		highest := 0.0
		for {
			sum, _ := parts()
			highest = max(highest, sum)
			select {
			case <-stop:
				done <- highest
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	killed := time.Now()
	all[1].dead.Store(true) // takes nothing any more,
	all[1].proxy.Cut()      // and its lease is neither renewed nor given back
	coordtest.Eventually(t, 30*time.Second, func() bool {
		sum, _ := parts()
		return sum >= 0.9 && even()
	}, "its part for the two others")
	took := time.Since(killed)
	if took > all[0].cfg.Fleet.Lease+time.Second { // this machine may be slow
		t.Errorf("the others had its part after %v, expected the lease of %v", took, all[0].cfg.Fleet.Lease)
	}

	// One that is shut down gives its part back at once.
	all[2].dead.Store(true)
	if err := all[2].Close(); err != nil {
		t.Error(err)
	}
	coordtest.Eventually(t, 4*time.Second, func() bool { return all[0].part() > 0.95 }, "all of the budget for the last")
	close(stop)
	highest := <-done
	t.Logf("the others had its part after %v; in sum they had %.3f at most", took.Round(10*time.Millisecond), highest)
	if highest > 1.1 {
		t.Errorf("the parts added up to %.3f", highest)
	}

	// With etcd away it keeps what it has, and one that starts takes one of the parts
	// that it expects.
	etcd.Stop()
	late := join(t, etcd.Address(), "late")
	coordtest.Eventually(t, 20*time.Second, func() bool { return late.part() == 0.25 }, "a fourth of the budget for one that starts without etcd")
	if p := all[0].part(); p < 0.95 {
		t.Errorf("with etcd away the last has %.3f of the budget", p)
	}
}
