// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// Oracle sees the true state of every replica and takes the one where the request advances
// fastest. It is greedy, not the best that could be.
func Oracle() sim.Family {
	return &oracle{}
}

// oracle shares among the clients what is on its way.
type oracle struct {
	onWay []int
}

// Client implements [sim.Family].
func (o *oracle) Client(_ int, random *rand.Rand, truth *sim.Truth) sim.Policy {
	if o.onWay == nil {
		o.onWay = make([]int, truth.Len())
	}
	return &seer{random: random, truth: truth}
}

// Publish implements [sim.Family].
func (*oracle) Publish(time.Duration, []sim.Fleet) {}

type seer struct {
	deaf
	random *rand.Rand
	truth  *sim.Truth
}

func (s *seer) Choose(time.Duration) (int, any) {
	from := s.random.IntN(s.truth.Len())
	best, rate := 0, -1.0
	for i := range s.truth.Len() {
		at := (from + i) % s.truth.Len()
		if r := s.truth.Rate(at); r > rate {
			best, rate = at, r
		}
	}
	return best, nil
}
