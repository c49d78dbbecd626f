// SPDX-License-Identifier: Apache-2.0

package balance_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
)

// Primary is a policy of one's own: it sends everything to the first instance that can take it,
// and to others only when more than Most requests of this caller are in flight there.
type Primary struct{ Most int }

// Choose implements [balance.Policy].
func (p Primary) Choose(c *balance.Candidates, r balance.Request) int {
	for i := range c.Len() {
		if n := c.Node(i); (r.Usable == nil || r.Usable(n)) && n.InFlight() < p.Most {
			return i
		}
	}
	return c.Draw(r) // all are busy: by weight, or -1, and the pool decides
}

// A policy is a type with one method. Who is in rotation is decided before it is asked.
func Example_policy() {
	settings := balance.Default()
	settings.Policy = Primary{Most: 2}
	pool := balance.New(settings, func(e balance.Event) {
		fmt.Println(e.Node.ID(), "left:", e.Reason, e.Figures)
	})
	now := time.Duration(0)
	pool.Update(now, []balance.Member{
		{ID: "a", Weight: 1, InService: true, Target: "10.0.0.1:80"},
		{ID: "b", Weight: 1, InService: true, Target: "10.0.0.2:80"},
		{ID: "c", Weight: 1, InService: true, Target: "10.0.0.3:80"},
	}, nil)

	var attempts []balance.Attempt
	for range 3 {
		attempt, _ := pool.Pick(balance.Request{Now: now, Random: rand.IntN})
		fmt.Println("request to", attempt.Node().ID(), "at", attempt.Node().Target())
		attempts = append(attempts, attempt)
	}
	now += 20 * time.Millisecond
	for _, attempt := range attempts {
		attempt.Done(0, now, balance.OK, balance.Measured)
	}

	for range 5 {
		attempt, _ := pool.Pick(balance.Request{Now: now, Random: rand.IntN})
		now += 20 * time.Millisecond
		attempt.Done(0, now, balance.Error, balance.Measured)
	}
	attempt, _ := pool.Pick(balance.Request{Now: now, Random: rand.IntN})
	fmt.Println("request to", attempt.Node().ID())
	// Output:
	// request to a at 10.0.0.1:80
	// request to a at 10.0.0.1:80
	// request to b at 10.0.0.2:80
	// a left: consecutive_failures [{consecutive 5 5}]
	// request to b
}

// An example of the whole: a request, what the instance said of its load with its answer, and
// the probes that are due after it.
func Example() {
	settings := balance.Default()
	settings.Policy = balance.NewAdaptive(balance.AdaptiveOptions{ProbesPerRequest: 1})
	pool := balance.New(settings, nil)
	pool.Update(0, []balance.Member{
		{ID: "a", Weight: 1, InService: true},
		{ID: "b", Weight: 1, InService: true},
	}, nil)

	request := balance.Request{Now: time.Second, Random: rand.IntN}
	attempt, ok := pool.Pick(request)
	if !ok {
		fmt.Println("there is nobody")
		return
	}
	asked := 0
	pool.Ask(request, func(n *balance.Node) {
		asked++
		pool.Heard(request, n, balance.Report{InFlight: 3}) // when it answers, later
	})
	answered := request.Now + 30*time.Millisecond
	attempt.Says(answered, balance.Report{InFlight: 2})
	attempt.Done(0, answered, balance.OK, balance.Measured)
	fmt.Println(attempt.Node().Load().InFlight, "in flight,", asked, "asked")
	// Output: 2 in flight, 1 asked
}
