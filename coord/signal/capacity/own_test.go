// SPDX-License-Identifier: Apache-2.0

package capacity_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal/capacity"
)

func TestSteadyTrafficSaysNothingOfWhatAProcessUsesForItself(t *testing.T) {
	for _, scatter := range []float64{0, 0.5, 2, 5} { // standard deviation of the requests a second
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 1))
			var m capacity.Model
			for second := range 600 {
				requests := max(0, math.Round(100+scatter*random.NormFloat64()))
				cpu := 0.0009 * requests * (1 + 0.1*random.NormFloat64()) // nothing for itself, and noise
				now := time.Hour + time.Duration(second)*time.Second
				m.Add(now, capacity.Report{Completions: uint64(requests), InRequests: cpu, Timed: true, CPU: cpu, Covers: 1, Allocation: 4})
				if demand, of := m.Demand(now); of > 1000 && demand < 750*time.Microsecond {
					t.Fatalf("scatter %v, seed %d: service demand %v after %d s, want 0.9 ms", scatter, seed, demand, second)
				}
			}
		}
	}
}

// poisson draws how many of something that comes at random come in a second.
func poisson(random *rand.Rand, mean float64) int {
	n, product, limit := 0, random.Float64(), math.Exp(-mean)
	for product > limit {
		n++
		product *= random.Float64()
	}
	return n
}

func TestWhatAProcessUsesForItselfIsNotItsRequestsFault(t *testing.T) {
	for name, of := range map[string]struct {
		own, each, rate float64
		visible         bool // the use for itself stands out from the scatter
	}{
		"a few cheap requests":     {0.02, 0.00025, 3.5, true},
		"a few dear ones":          {0.02, 0.020, 3.5, false},
		"many cheap ones":          {0.05, 0.0005, 200, false},
		"many dear ones":           {0.05, 0.020, 100, false},
		"nothing for itself":       {0, 0.002, 10, false},
		"nothing for itself, dear": {0, 0.1, 20, false},
		"more than is left out":    {0.3, 0.001, 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 8))
			var m capacity.Model
			sum, n := 0.0, 0
			for second := range 300 {
				requests := poisson(random, of.rate)
				cpu := of.own * (0.8 + 0.4*random.Float64())
				for range requests {
					cpu += of.each * random.ExpFloat64()
				}
				now := time.Hour + time.Duration(second)*time.Second
				m.Add(now, capacity.Report{Completions: uint64(requests), InRequests: cpu, Timed: true, CPU: cpu, Covers: 1, Allocation: 4}) //nolint:gosec // small
				if demand, _ := m.Demand(now); second >= 100 {
					sum += demand.Seconds()
					n++
				}
			}
			mean, ratio := sum/float64(n), of.each+of.own/of.rate
			if mean < 0.85*of.each || mean > 1.1*ratio {
				t.Errorf("service demand %.3f ms on average, a request costs %.3f, CPU time over completions is %.3f", 1000*mean, 1000*of.each, 1000*ratio)
			}
			if of.visible && mean > of.each+0.2*(ratio-of.each) {
				t.Errorf("service demand %.3f ms on average, a request costs %.3f: its own use is in it", 1000*mean, 1000*of.each)
			}
		})
	}
}
