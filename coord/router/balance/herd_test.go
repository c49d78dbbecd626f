// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// argMin takes the instance with the least of what was published last: what every router does
// that takes a snapshot for the truth.
type argMin struct{ published *[]float64 }

func (p argMin) Choose(c *Candidates, _ Request) int {
	best := 0
	for i := range c.Len() {
		if (*p.published)[c.Node(i).Target().(int)] < (*p.published)[c.Node(best).Target().(int)] {
			best = i
		}
	}
	return best
}

// herds lets callers send requests to instances that serve four at a time, 20 ms each, at
// seven tenths of what they can; every second all are told the same of each: its capacity, and
// what its requests took. It returns which part of a second's requests the busiest instance
// got, at most, and how many were in flight there.
func herds(t *testing.T, callers, instances int, policy func(published *[]float64) Policy) (share float64, inFlight int) {
	const parallelism, demand, tick = 4, 20 * time.Millisecond, time.Millisecond
	random := rand.New(rand.NewPCG(7, 7))
	published := make([]float64, instances)
	pools := make([]*Pool, callers)
	var members []Member
	for i := range instances {
		members = append(members, Member{ID: fmt.Sprint("i", i), Weight: 1, InService: true, Target: i})
	}
	now := time.Hour
	for i := range pools {
		s := Default()
		s.Policy = policy(&published)
		pools[i] = New(s, nil)
		pools[i].Update(now, members, nil)
	}
	queues := make([][]Attempt, instances)
	budget := make([]time.Duration, instances) // of CPU time
	took := make([]time.Duration, instances)
	served := make([]uint64, instances)
	second := make([]int, instances)
	for ms := range 10_000 {
		if ms%1000 == 0 {
			fleet := &signal.Fleet{Instances: make(map[string]*signal.Signal)}
			all := 0
			for i, m := range members {
				published[i] = float64(len(queues[i]))
				s := &signal.Signal{ID: m.ID, Verdict: good(), ServiceDemand: demand, Parallelism: parallelism}
				if served[i] > 0 {
					w := signal.Window{Seconds: 1, Requests: served[i]}
					w.Latency.Record((took[i] / time.Duration(served[i])).Seconds(), served[i])
					s.Windows = []signal.Window{w}
				}
				fleet.Instances[m.ID] = s
				all += second[i]
			}
			for i := range members {
				if ms >= 3000 {
					share = max(share, float64(second[i])/float64(all))
				}
				took[i], served[i], second[i] = 0, 0, 0
			}
			for _, p := range pools {
				p.Update(now, members, fleet)
			}
		}
		for range instances * 7 / 50 { // 0.7 × 4 × 1 ms / 20 ms for each
			a, ok := pools[random.IntN(callers)].Pick(Request{Now: now, Random: random.IntN})
			if !ok {
				t.Fatal("nobody takes a request")
			}
			i := a.Node().Target().(int)
			queues[i] = append(queues[i], a)
			second[i]++
		}
		now += tick
		for i := range queues {
			if ms >= 3000 {
				inFlight = max(inFlight, len(queues[i]))
			}
			// First come, first served: no more CPU at once than there is, or is asked for.
			budget[i] += min(parallelism, time.Duration(len(queues[i]))) * tick
			for len(queues[i]) > 0 && budget[i] >= demand {
				a := queues[i][0]
				budget[i] -= demand
				queues[i] = queues[i][1:]
				took[i] += now - a.Start()
				served[i]++
				a.Done(0, now, OK, Measured)
			}
		}
	}
	return share, inFlight
}

// TestNeverTheLeastOfAPublishedSnapshot is a guard: with it all callers go where it was quiet
// a second ago. Who draws first, and weighs what it sees itself, makes no herd of what all know.
func TestNeverTheLeastOfAPublishedSnapshot(t *testing.T) {
	const callers, instances = 50, 50
	share, inFlight := herds(t, callers, instances, func(published *[]float64) Policy { return argMin{published} })
	t.Logf("arg-min of a snapshot: the busiest gets %.2f of a second's requests, %d in flight", share, inFlight)
	if share < 0.9 || inFlight < 1000 {
		t.Error("this should be a herd: the guard guards nothing")
	}
	share, inFlight = herds(t, callers, instances, func(*[]float64) Policy { return NewAdaptive(AdaptiveOptions{}) })
	t.Logf("adaptive with the same knowledge: %.3f, %d in flight", share, inFlight)
	if share > 2.0/instances || inFlight > 40 {
		t.Errorf("the busiest gets %.3f of a second's requests, %d in flight; want at most %.3f, 40", share, inFlight, 2.0/instances)
	}
}
