// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// Random chooses at random.
func Random() sim.Family {
	return family(func(random *rand.Rand, truth *sim.Truth) sim.Policy {
		return &atRandom{random: random, n: truth.Len()}
	})
}

type atRandom struct {
	deaf
	random *rand.Rand
	n      int
}

func (p *atRandom) Choose(time.Duration) (int, any) { return p.random.IntN(p.n), nil }

// RoundRobin takes turns, each client from a place of its own.
func RoundRobin() sim.Family {
	return family(func(random *rand.Rand, truth *sim.Truth) sim.Policy {
		return &roundRobin{next: random.IntN(truth.Len()), n: truth.Len()}
	})
}

type roundRobin struct {
	deaf
	next, n int
}

func (p *roundRobin) Choose(time.Duration) (int, any) {
	p.next = (p.next + 1) % p.n
	return p.next, nil
}
