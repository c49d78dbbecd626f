// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"math"

	"github.com/otelplat/platform/internal/stablehash"
)

// unit returns a hash as a number between 0 and 1, neither of them: 52 bits and a half fit a
// float64, so that nothing is rounded up.
func unit(h uint64) float64 { return (float64(h>>12) + 0.5) / (1 << 52) }

// arm is a compiled Arm.
type arm struct {
	variant variant
	weight  float64
	salt    uint64
}

// choose returns the arm of a key by weighted rendezvous hashing (Thaler and Ravishankar,
// 1998): each arm draws for the key, and the best drawing has it. With the drawing
// ln(u) / weight, u uniform, arm a is best with probability weight(a) / sum of weights: -ln(u)
// is exponential, and the least of exponentials with rates w belongs to a rate with that
// probability. An arm's drawing depends on no other arm. So a new arm takes keys from all
// and moves none between them, and a greater weight only gives the arm more.
//
// The salt is the variant's name alone: a caller that has a variant in one route has it in
// another that splits alike.
func choose(arms []arm, key uint64) *arm {
	best, most := &arms[0], math.Inf(-1)
	for i := range arms {
		a := &arms[i]
		if drawn := math.Log(unit(stablehash.Mix(key^a.salt))) / a.weight; drawn > most {
			best, most = a, drawn
		}
	}
	return best
}
