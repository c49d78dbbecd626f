// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// WeightedRoundRobin is gRPC's (A58): weight is requests a second over utilization, failures
// make it less, and a static stride scheduler of the weights is rebuilt every second.
// Utilization is CPU used over CPU allotted.
func WeightedRoundRobin() sim.Family { return &wrr{} }

// The defaults of A58.
const (
	blackout     = 10 * time.Second
	expiry       = 3 * time.Minute
	errorPenalty = 1.0
)

// wrr holds the weights, which all clients hear from the replicas.
type wrr struct {
	weights []float64 // 0: not known
	since   []time.Duration
	heard   []time.Duration
	clients []*stride
}

// Client implements [sim.Family].
func (w *wrr) Client(_ int, random *rand.Rand, truth *sim.Truth) sim.Policy {
	if w.weights == nil {
		w.weights = make([]float64, truth.Len())
		w.since = make([]time.Duration, truth.Len())
		w.heard = make([]time.Duration, truth.Len())
	}
	s := &stride{sequence: random.Uint64N(1 << 32), scaled: make([]uint64, truth.Len())}
	s.rebuild(w.weights)
	w.clients = append(w.clients, s)
	return s
}

// Publish implements [sim.Family].
func (w *wrr) Publish(now time.Duration, replicas []sim.Fleet) {
	usable := make([]float64, len(replicas))
	for i, f := range replicas {
		requests := float64(f.Completions+f.Failures) / f.Seconds
		utilization := f.CPU / f.Seconds / f.Allocation
		if requests > 0 && utilization > 0 {
			failing := float64(f.Failures) / f.Seconds / requests
			w.weights[i] = requests / (utilization + failing*errorPenalty)
			if w.since[i] == 0 {
				w.since[i] = now
			}
			w.heard[i] = now
		}
		if w.since[i] > 0 && now-w.since[i] >= blackout && now-w.heard[i] < expiry {
			usable[i] = w.weights[i]
		}
	}
	for _, c := range w.clients {
		c.rebuild(usable)
	}
}

// stride is A58's static stride scheduler: of every 65,535 rounds an instance takes part in
// as many as its weight, scaled to the greatest, says.
type stride struct {
	deaf
	sequence uint64
	scaled   []uint64
}

const maxWeight = 65535

func (s *stride) rebuild(weights []float64) {
	sum, known, greatest := 0.0, 0, 0.0
	for _, w := range weights {
		if w > 0 {
			sum += w
			known++
			greatest = max(greatest, w)
		}
	}
	for i, w := range weights {
		switch {
		case known < 2:
			s.scaled[i] = maxWeight
		case w > 0:
			s.scaled[i] = uint64(max(1, w/greatest*maxWeight+0.5))
		default:
			s.scaled[i] = uint64(max(1, sum/float64(known)/greatest*maxWeight+0.5))
		}
	}
}

func (s *stride) Choose(time.Duration) (int, any) {
	n := uint64(len(s.scaled))
	for {
		at, generation := s.sequence%n, s.sequence/n
		s.sequence++
		weight := s.scaled[at]
		offset := maxWeight / 2 * at
		if (weight*generation+offset)%maxWeight < maxWeight-weight {
			continue
		}
		return int(at), nil //nolint:gosec // less than the number of replicas
	}
}
