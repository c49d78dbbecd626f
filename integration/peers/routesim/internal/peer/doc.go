// SPDX-License-Identifier: Apache-2.0

// Package peer has the ways to choose that the router is compared with, after their papers
// and sources, for the simulation. None of it is used by the product.
package peer

import (
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// family makes clients that share nothing.
type family func(random *rand.Rand, truth *sim.Truth) sim.Policy

// Client implements [sim.Family].
func (f family) Client(_ int, random *rand.Rand, truth *sim.Truth) sim.Policy {
	return f(random, truth)
}

// Publish implements [sim.Family]: these do not listen to the fleet.
func (family) Publish(time.Duration, []sim.Fleet) {}

// deaf hears of no load.
type deaf struct{}

func (deaf) Done(time.Duration, sim.Outcome)         {}
func (deaf) Probes(time.Duration, func(replica int)) {}
func (deaf) Probed(time.Duration, sim.Report)        {}
