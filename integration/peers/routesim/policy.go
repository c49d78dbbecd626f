// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/integration/peers/routesim/internal/ours"
	"github.com/otelplat/platform/integration/peers/routesim/internal/peer"
	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// The names that other code asks for.
const (
	prequal  = "prequal"
	adaptive = "adaptive"
)

// options are those of our own policy.
type options struct {
	probes    float64 // a request, at most
	perSecond float64 // at most, 0: no limit
	stock     float64 // share of the replicas without CPU time
	onChange  bool    // publish only what moved
}

// known are the policies that can be asked for, in the order of the documentation.
var known = []struct {
	name   string
	family func(options) sim.Family
}{
	{"random", theirs(peer.Random)},
	{"rr", theirs(peer.RoundRobin)},
	{"wrr", theirs(peer.WeightedRoundRobin)},
	{"p2c-ll", theirs(peer.LeastLoaded)},
	{"p2c-ewma", theirs(peer.PeakEWMA)},
	{prequal, theirs(peer.Prequal)},
	{"oracle", theirs(peer.Oracle)},
	{adaptive, func(o options) sim.Family {
		return our(o, func() balance.Policy {
			return balance.NewAdaptive(balance.AdaptiveOptions{ProbesPerRequest: o.probes, ProbesPerSecond: o.perSecond})
		})
	}},
	{"hyb", theirs(peer.Hybrid)},
	{"snap-argmin", theirs(peer.SnapshotArgmin)},
	{"otelplat-prequal", func(o options) sim.Family {
		return our(o, func() balance.Policy { return balance.NewPrequal(o.probes, o.perSecond) })
	}},
	{"otelplat-p2c-ewma", func(o options) sim.Family { return our(o, func() balance.Policy { return balance.PeakEWMA{} }) }},
	{"otelplat-p2c-ll", func(o options) sim.Family { return our(o, func() balance.Policy { return balance.LeastRequest{} }) }},
}

// published are those of the table in the documentation, and the default. The others are
// there to show something: what the fleet's latency adds to two choices, how a snapshot
// herds, and the product's other policies.
var published = names()[:8]

func theirs(family func() sim.Family) func(options) sim.Family {
	return func(options) sim.Family { return family() }
}

// our makes clients that run the product's own code.
func our(o options, policy func() balance.Policy) sim.Family {
	opts := []ours.Option{ours.WithoutCPUTime(o.stock)}
	if o.onChange {
		opts = append(opts, ours.OnChange())
	}
	return ours.Family(policy, opts...)
}

func names() []string {
	all := make([]string, len(known))
	for i, k := range known {
		all[i] = k.name
	}
	return all
}

// family returns new policies for the clients of one simulation.
func family(name string, o options) sim.Family {
	for _, k := range known {
		if k.name == name {
			return k.family(o)
		}
	}
	return nil
}
