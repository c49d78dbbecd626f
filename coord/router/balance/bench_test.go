// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// policies are all that come with the package, each made as a service makes it.
var policies = map[string]func() Policy{
	"adaptive":        func() Policy { return NewAdaptive(DefaultAdaptive()) },
	"prequal":         func() Policy { return NewPrequal(PrequalProbes, 0) },
	"p2c_ewma":        func() Policy { return PeakEWMA{} },
	"least_request":   func() Policy { return LeastRequest{} },
	"round_robin":     func() Policy { return NewRoundRobin(rand.IntN) },
	"weighted":        func() Policy { return Weighted{} },
	"consistent_hash": func() Policy { return NewConsistentHash(0) },
}

// lively is a pool under a policy whose every instance has a known capacity, and told its load
// lately: a pool of answers that is full, for the policies that have one.
func lively(tb testing.TB, policy Policy, instances int) *world {
	w := newWorld(tb, 0)
	w.pool.observe = nil
	w.fleet = &signal.Fleet{Instances: make(map[string]*signal.Signal)}
	for i := range instances {
		id := fmt.Sprintf("i%d", i)
		w.who = append(w.who, Member{ID: id, Weight: 1, InService: true})
		w.fleet.Instances[id] = &signal.Signal{ID: id, ServiceDemand: 10 * time.Millisecond, Parallelism: 4, Verdict: good()}
	}
	w.configure(func(s *Settings) { s.Policy = policy })
	w.update()
	var a *Adaptive
	switch p := policy.(type) {
	case *Adaptive:
		a = p
	case *Prequal:
		a = &p.adaptive
	default:
		return w
	}
	a.median.add(10 * time.Millisecond) // slow enough to ask
	for i := range 200 {
		w.asks(nil, func(*Node) Report { return Report{InFlight: i % 3, Latency: 10 * time.Millisecond} })
	}
	// The answers last, as if as many came as are used up.
	for i := range min(poolSize, instances) {
		a.answers.slots[i].Load().uses = math.MaxInt32
	}
	a.asked.counted.Store(math.MaxUint32 / 2)
	a.answered.counted.Store(0) // nothing is removed
	return w
}

// BenchmarkPick is a request's whole cost: choosing, asking, and counting how it went.
func BenchmarkPick(b *testing.B) {
	for name, policy := range policies {
		for _, size := range []int{10, 1000} {
			b.Run(fmt.Sprintf("%s/one/size=%d", name, size), func(b *testing.B) {
				w := lively(b, policy(), size)
				now := w.now // one time for all: what was heard stays fresh
				b.ReportAllocs()
				for b.Loop() {
					a, _ := w.pool.Pick(Request{Now: now, Random: rand.IntN, Key: rand.Uint64()})
					a.Done(0, now+10*time.Millisecond, OK, Measured)
				}
			})
		}
		b.Run(name+"/goroutines=64/size=1000", func(b *testing.B) {
			w := lively(b, policy(), 1000)
			now := w.now
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					a, _ := w.pool.Pick(Request{Now: now, Random: rand.IntN, Key: rand.Uint64()})
					a.Done(0, now+10*time.Millisecond, OK, Measured)
				}
			})
		})
	}
}

// BenchmarkAsk is what asking costs beside a request: with all heard from lately, and with none.
func BenchmarkAsk(b *testing.B) {
	for name, later := range map[string]time.Duration{"heard_lately": 0, "asked": time.Second} {
		b.Run(name+"/size=1000", func(b *testing.B) {
			w := lively(b, NewAdaptive(AdaptiveOptions{ProbesPerRequest: 2}), 1000)
			asked := 0
			b.ReportAllocs()
			for b.Loop() {
				w.pool.Ask(Request{Now: w.now + later, Random: rand.IntN}, func(*Node) { asked++ })
			}
			b.ReportMetric(float64(asked)/float64(b.N), "probes/op")
		})
	}
}

// BenchmarkUpdate is what it costs to hear of the fleet, once a second.
func BenchmarkUpdate(b *testing.B) {
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			w := lively(b, NewAdaptive(DefaultAdaptive()), size)
			b.ReportAllocs()
			for b.Loop() {
				w.update()
			}
		})
	}
}

// BenchmarkRing is what the first request costs after instances came or went.
func BenchmarkRing(b *testing.B) {
	w := lively(b, Weighted{}, 1000)
	b.ReportAllocs()
	for b.Loop() {
		newRing(w.pool.table.Load().rotation)
	}
}
