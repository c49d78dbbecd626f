// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// The streams of random numbers: one for each cause, so that a policy which draws more
// numbers does not change what befalls it.
const (
	arrivals = iota
	machines
	choices
	faults
)

func stream(seed, which uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, which)) }

// workload draws the requests.
type workload struct {
	config *Config
	random *rand.Rand
	gap    float64 // mean seconds between two arrivals of the fleet
}

func newWorkload(c *Config, capacity float64) *workload {
	w := &workload{config: c, random: stream(c.Seed, arrivals)}
	w.gap = w.meanWork() / (c.Load * capacity)
	return w
}

// meanWork is the mean of the work, in seconds: of a normal distribution cut off at zero it
// is m + d·φ(-m/d) / Φ(m/d).
func (w *workload) meanWork() float64 {
	m, d := w.config.WorkMean.Seconds(), w.config.WorkDeviation.Seconds()
	mean := m
	if d > 0 {
		z := m / d
		density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
		mean += d * density / (0.5 * math.Erfc(-z/math.Sqrt2))
	}
	if w.config.Mix {
		mean *= 1.9
	}
	return mean
}

// next draws the time to the next request, and what it takes.
func (w *workload) next() (gap time.Duration, work, wait float64) {
	gap = time.Duration(w.random.ExpFloat64() * w.gap * float64(time.Second))
	m, d := w.config.WorkMean.Seconds(), w.config.WorkDeviation.Seconds()
	for work <= 0 {
		work = m + d*w.random.NormFloat64()
	}
	if w.config.Mix && w.random.IntN(10) == 0 {
		work *= 10
	}
	if w.config.Wait > 0 {
		wait = w.random.ExpFloat64() * w.config.Wait.Seconds()
	}
	return gap, work, wait
}
