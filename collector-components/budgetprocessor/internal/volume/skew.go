// SPDX-License-Identifier: Apache-2.0

package volume

import (
	"hash/maphash"
	"math"
	"time"
)

// far is how many times what was to be kept has to be kept before it is no accident.
const far = 1.25

// Skew finds out when a cut by the randomness that items bring along keeps more than it
// should: who sends them chooses it, and items that all bring the highest are never
// cut. The zero value is ready. It is not safe for concurrent use.
type Skew struct {
	expected, passed float64 // weighted by age over the horizon
	last             time.Duration
	cutting          bool
}

// Again takes in how much of a batch was to be kept and how much a first cut kept, and
// returns the ratio for a second one of what the first kept. There is none before the
// source is in debt, nor when the first keeps what it should; once there is one it
// stays until then.
func (s *Skew) Again(now time.Duration, expected, passed float64, indebted bool) float64 {
	left := math.Exp(-max(now-s.last, 0).Seconds() / Horizon.Seconds())
	s.last = max(s.last, now)
	s.expected, s.passed = s.expected*left+expected, s.passed*left+passed
	if s.passed <= far*s.expected {
		s.cutting = false
	} else if indebted {
		s.cutting = true
	}
	return s.Ratio()
}

// Ratio returns the ratio of the second cut as it is, for who cannot cut twice and lets
// the next batch make good what this one kept.
func (s *Skew) Ratio() float64 {
	if !s.cutting {
		return 1
	}
	return s.expected / s.passed
}

var seed = maphash.MakeSeed()

// Chosen says whether an identity stays at a ratio, by a hash that is keyed at random
// for each process, so that nobody can choose identities that do.
func Chosen(id [16]byte, ratio float64) bool {
	return float64(maphash.Bytes(seed, id[:])>>11)/(1<<53) < ratio
}
