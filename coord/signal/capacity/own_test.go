// SPDX-License-Identifier: Apache-2.0

package capacity_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal/capacity"
)

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
	for name, of := range map[string]struct{ own, each, rate float64 }{
		"a few cheap requests":     {0.02, 0.00025, 3.5},
		"a few dear ones":          {0.02, 0.020, 3.5},
		"many cheap ones":          {0.05, 0.0005, 200},
		"many dear ones":           {0.05, 0.020, 100},
		"nothing for itself":       {0, 0.002, 10},
		"nothing for itself, dear": {0, 0.1, 20},
		"more than is left out":    {0.3, 0.001, 200},
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
			left := max(of.own-0.1, 0) / of.rate // what exceeds the bound stays with the requests
			mean, want := sum/float64(n), of.each+left
			if slack := 0.15*want + 0.2*of.own/of.rate; math.Abs(mean-want) > slack {
				t.Errorf("service demand %.3f ms on average, want %.3f within %.3f; CPU time over completions is %.3f",
					1000*mean, 1000*want, 1000*slack, 1000*(of.each+of.own/of.rate))
			}
		})
	}
}
