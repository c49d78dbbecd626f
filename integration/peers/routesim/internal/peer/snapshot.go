// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// snapshot is the mean latency of each replica in the last period in which it served, as
// the fleet published it; 0 where it never did.
type snapshot []float64

func (s snapshot) update(replicas []sim.Fleet) {
	for i, f := range replicas {
		if f.Completions > 0 {
			s[i] = f.InRequests / float64(f.Completions) * float64(time.Second)
		} else if f.InRequests > 0 {
			s[i] = max(s[i], f.Seconds*float64(time.Second)) // as long as the period, so far
		}
	}
}

// listeners makes clients that all hear the same snapshot.
type listeners struct {
	snapshot snapshot
	client   func(random *rand.Rand, s snapshot) sim.Policy
}

// Client implements [sim.Family].
func (l *listeners) Client(_ int, random *rand.Rand, truth *sim.Truth) sim.Policy {
	if l.snapshot == nil {
		l.snapshot = make(snapshot, truth.Len())
	}
	return l.client(random, l.snapshot)
}

// Publish implements [sim.Family].
func (l *listeners) Publish(_ time.Duration, replicas []sim.Fleet) { l.snapshot.update(replicas) }

// Hybrid is peak EWMA whose latency decays towards what the fleet publishes of the replica,
// not to nothing: what a collector adds to two choices.
func Hybrid() sim.Family {
	return &listeners{client: func(random *rand.Rand, s snapshot) sim.Policy {
		return &twoChoices{random: random, nodes: make([]ewma, len(s)), latency: true, prior: s}
	}}
}

// SnapshotArgmin takes the replica that was fastest when the fleet was last looked at. So
// does everybody else: it shows what becomes of that.
func SnapshotArgmin() sim.Family {
	return &listeners{client: func(random *rand.Rand, s snapshot) sim.Policy {
		return &argmin{random: random, snapshot: s}
	}}
}

type argmin struct {
	deaf
	random   *rand.Rand
	snapshot snapshot
}

func (p *argmin) Choose(time.Duration) (int, any) {
	from := p.random.IntN(len(p.snapshot))
	best := from
	for i := range p.snapshot {
		if at := (from + i) % len(p.snapshot); p.snapshot[at] < p.snapshot[best] {
			best = at
		}
	}
	return best, nil
}
