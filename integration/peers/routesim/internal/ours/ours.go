// SPDX-License-Identifier: Apache-2.0

// Package ours lets the product's own code choose in the simulation: a pool of
// coord/router/balance for each client, fed with the signals that collectors would
// publish: merged from what every client saw, with the capacity that follows from what
// every replica measured of itself.
package ours

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/signal/capacity"
	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// Family makes clients that choose by a policy of the product.
func Family(policy func() balance.Policy, opts ...Option) sim.Family {
	f := &family{policy: policy}
	for _, o := range opts {
		o(f)
	}
	return f
}

// Option configures [Family].
type Option func(*family)

// WithoutCPUTime makes a share of the replicas report no CPU time, as a stock SDK does.
func WithoutCPUTime(share float64) Option { return func(f *family) { f.stock = share } }

type family struct {
	policy   func() balance.Policy
	stock    float64
	released map[uint32]*release // by shard; nil: everything is published in every period
	models   []capacity.Model
	history  []history
	records  []record
	members  []balance.Member
	clients  []*client
}

const service = "sim"

// Client implements [sim.Family].
func (f *family) Client(id int, random *rand.Rand, truth *sim.Truth) sim.Policy {
	if f.members == nil {
		f.models = make([]capacity.Model, truth.Len())
		f.history = make([]history, truth.Len())
		f.records = make([]record, truth.Len())
		for i := range truth.Len() {
			f.records[i].ejected = make(map[int]bool)
			f.members = append(f.members, balance.Member{ID: strconv.Itoa(i), Weight: 1, InService: true, Target: i})
		}
	}
	settings := balance.Default()
	settings.Policy = f.policy()
	c := &client{random: random.IntN}
	c.pool = balance.New(settings, func(e balance.Event) {
		if e.Kind == balance.Left && e.Local {
			f.records[e.Node.Target().(int)].ejected[id] = true
		}
	})
	c.pool.Update(start, f.members, nil)
	f.clients = append(f.clients, c)
	return c
}

// start is when the simulation begins on the pool's clock, which does not begin at zero in
// a service either.
const start = time.Hour

// Publish implements [sim.Family].
func (f *family) Publish(now time.Duration, replicas []sim.Fleet) {
	var instances []signal.Instance
	for i, r := range replicas {
		in := signal.Instance{ID: strconv.Itoa(i)}
		if float64(i%10) >= 10*f.stock {
			m := &f.models[i]
			m.Add(start+now, capacity.Report{
				Completions: r.Completions + r.Failures, InRequests: r.InRequests, Timed: true, CPU: r.CPU, Covers: r.Seconds, Allocation: r.Allocation,
			})
			can := m.Estimate(start + now)
			in.ServiceDemand, in.Parallelism = can.Demand, can.Parallelism
		}
		f.records[i].add(start+now, r.Callers)
		f.records[i].put(start+now, &in)
		f.history[i].add(r.InRequests, float64(r.Completions))
		in.Windows = []signal.Window{f.history[i].window()}
		instances = append(instances, in)
	}
	shares := []*signal.Share{{Service: service, Collector: "c", Shards: 1, Instances: instances}}
	if f.released != nil {
		shares = f.release(instances, start+now)
	}
	fleet := signal.Merge(shares)
	for _, c := range f.clients {
		c.pool.Update(start+now, f.members, fleet)
	}
}

// history is what a replica's requests took in the last periods, of which the router reads
// the mean of ten seconds.
type history struct {
	seconds, requests [10]float64
	n                 int
}

func (h *history) add(seconds, requests float64) {
	h.seconds[h.n%10], h.requests[h.n%10] = seconds, requests
	h.n++
}

func (h *history) window() signal.Window {
	w := signal.Window{Seconds: 10}
	seconds, requests := 0.0, 0.0
	for i := range h.seconds {
		seconds += h.seconds[i]
		requests += h.requests[i]
	}
	if requests > 0 {
		w.Requests = uint64(requests)
		w.Latency.Record(seconds/requests, uint64(requests))
	}
	return w
}

// client is one process that calls the service.
type client struct {
	random func(int) int
	pool   *balance.Pool
	nodes  []*balance.Node
}

func (c *client) request(now time.Duration) balance.Request {
	return balance.Request{Now: start + now, Random: c.random}
}

// Choose implements [sim.Policy].
func (c *client) Choose(now time.Duration) (int, any) {
	a, _ := c.pool.Pick(c.request(now))
	return a.Node().Target().(int), a
}

// Probes implements [sim.Policy].
func (c *client) Probes(now time.Duration, ask func(replica int)) {
	c.pool.Ask(c.request(now), func(n *balance.Node) {
		i := n.Target().(int)
		for len(c.nodes) <= i {
			c.nodes = append(c.nodes, nil)
		}
		c.nodes[i] = n
		ask(i)
	})
}

// Probed implements [sim.Policy].
func (c *client) Probed(now time.Duration, r sim.Report) {
	c.pool.Heard(c.request(now), c.nodes[r.Replica], balance.Report{InFlight: r.InFlight, Latency: r.Latency})
}

// Done implements [sim.Policy].
func (c *client) Done(now time.Duration, o sim.Outcome) {
	a := o.Token.(balance.Attempt)
	outcome := balance.OK
	switch {
	case o.Late:
		outcome = balance.Timeout
	case o.Failed:
		outcome = balance.Error
	}
	if !o.Late {
		a.Says(start+now, balance.Report{InFlight: o.Report.InFlight, Latency: o.Report.Latency})
	}
	a.Done(0, start+now, outcome, balance.Measured)
}
