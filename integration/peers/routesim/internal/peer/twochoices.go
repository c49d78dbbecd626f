// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// LeastLoaded draws two and takes the one with fewer of the client's own requests in flight
// (gRPC's and Envoy's least request).
func LeastLoaded() sim.Family {
	return family(func(random *rand.Rand, truth *sim.Truth) sim.Policy {
		return &twoChoices{random: random, nodes: make([]ewma, truth.Len())}
	})
}

// PeakEWMA draws two and takes the one whose peak EWMA of latency times requests in flight
// is less (Finagle's and Linkerd's, with their time constant of 10 s).
func PeakEWMA() sim.Family {
	return family(func(random *rand.Rand, truth *sim.Truth) sim.Policy {
		return &twoChoices{random: random, nodes: make([]ewma, truth.Len()), latency: true}
	})
}

type twoChoices struct {
	random  *rand.Rand
	nodes   []ewma
	latency bool
	prior   snapshot // to which a latency decays; nil: to nothing
}

// ewma is what a client knows of a replica.
type ewma struct {
	inFlight int
	value    float64
	at       time.Duration
}

// tau is the time constant of Finagle's peak EWMA.
const tau = 10 * time.Second

// penalty is the latency of a replica that has not answered yet and has something to answer.
const penalty = float64(time.Hour)

func (p *twoChoices) Choose(now time.Duration) (int, any) {
	a := p.random.IntN(len(p.nodes))
	if len(p.nodes) > 1 {
		b := p.random.IntN(len(p.nodes) - 1)
		if b >= a {
			b++
		}
		if p.cost(b, now) < p.cost(a, now) {
			a = b
		}
	}
	p.nodes[a].inFlight++
	return a, nil
}

func (p *twoChoices) cost(i int, now time.Duration) float64 {
	n := &p.nodes[i]
	if !p.latency {
		return float64(n.inFlight)
	}
	prior := 0.0
	if p.prior != nil {
		prior = p.prior[i]
	}
	value := prior
	if n.value > 0 {
		value += (n.value - prior) * math.Exp(-float64(now-n.at)/float64(tau))
	}
	if value == 0 && n.inFlight > 0 {
		return penalty + float64(n.inFlight)
	}
	return value * float64(n.inFlight+1)
}

func (p *twoChoices) Done(now time.Duration, o sim.Outcome) {
	n := &p.nodes[o.Replica]
	n.inFlight--
	x := float64(o.Latency)
	if x < n.value {
		w := math.Exp(-float64(now-n.at) / float64(tau))
		x = n.value*w + x*(1-w)
	}
	n.value, n.at = x, now
}

func (p *twoChoices) Probes(time.Duration, func(replica int)) {}
func (p *twoChoices) Probed(time.Duration, sim.Report)        {}
