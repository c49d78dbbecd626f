// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// serves is a request on its way, in virtual time.
type serves struct {
	at      time.Duration
	attempt Attempt
}

type served []serves

func (a served) Len() int           { return len(a) }
func (a served) Less(i, j int) bool { return a[i].at < a[j].at }
func (a served) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *served) Push(x any)        { *a = append(*a, x.(serves)) }
func (a *served) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// TestNoiseDoesNotTiltTheShares: ten instances that are alike, of which each served
// slowly now and then, as one does that collects garbage. None of them deserves more
// than the others.
func TestNoiseDoesNotTiltTheShares(t *testing.T) {
	const instances, requests, gap, seeds = 10, 4000, 2500 * time.Microsecond, 20
	for _, slow := range []float64{0.002, 0.01, 0.05, 0.2} {
		t.Run(fmt.Sprintf("%g of the served take five times as long", slow), func(t *testing.T) {
			sum, worst := 0.0, 0.0
			for seed := range uint64(seeds) {
				w := newWorld(t, instances)
				w.random = rand.New(rand.NewPCG(seed, 2)).IntN
				noise := rand.New(rand.NewPCG(seed, 3))
				got := make(map[string]int)
				var pending served
				for i := range requests + 400 {
					w.now += gap
					for len(pending) > 0 && pending[0].at <= w.now {
						a := heap.Pop(&pending).(serves)
						a.attempt.Done(0, a.at, OK, Measured)
					}
					a, ok := w.pool.Pick(Request{Now: w.now, Random: w.random})
					if !ok {
						t.Fatal("nobody takes a request")
					}
					took := 10*time.Millisecond + time.Duration(noise.IntN(2000))*time.Microsecond
					if noise.Float64() < slow {
						took *= 5
					}
					heap.Push(&pending, serves{w.now + took, a})
					if i >= 400 {
						got[a.Node().ID()]++
					}
				}
				busiest := 0.0
				for _, n := range got {
					busiest = max(busiest, float64(n)/(requests/instances))
				}
				sum, worst = sum+busiest, max(worst, busiest)
			}
			t.Logf("the busiest got %.2f times its share on average, %.2f at most", sum/seeds, worst)
			if sum/seeds > 1.2 {
				t.Error("want at most 1.2 times on average")
			}
		})
	}
}
