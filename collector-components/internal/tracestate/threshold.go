// SPDX-License-Identifier: Apache-2.0

package tracestate

import (
	"encoding/binary"
	"math/bits"
)

// Never is the threshold that no randomness reaches. It cannot be written.
const Never uint64 = 1 << 56

// precision is how many bits of a probability are kept: the rest of the 56 would
// make every tracestate longer for a difference below 0.01 %.
const precision = 14

// Threshold returns the rejection threshold that keeps the ratio p of traces, to
// 0.01 % of p: 0 for 1 and above, Never for 0 and below, and for what is no number.
func Threshold(p float64) uint64 {
	if p >= 1 {
		return 0
	}
	if !(p > 0) {
		return Never
	}
	keep := uint64(p * float64(Never))
	// Whole hexadecimal digits are rounded away, since trailing zeros are not written.
	if digits := (bits.Len64(keep) - precision) / 4 * 4; digits > 0 {
		half := uint64(1) << (digits - 1)
		keep = (keep + half) >> digits << digits
	}
	return Never - max(keep, 1)
}

// Probability returns the ratio of traces that a threshold keeps.
func Probability(threshold uint64) float64 {
	if threshold >= Never {
		return 0
	}
	return float64(Never-threshold) / float64(Never)
}

// Randomness returns the randomness of a trace whose tracestate has no "rv": the
// last 56 bits of its id.
func Randomness(traceID [16]byte) uint64 {
	return binary.BigEndian.Uint64(traceID[8:]) & (Never - 1)
}

// Decision is what a sampler does with one span.
type Decision struct {
	// Keep says whether the span stays.
	Keep bool

	// Changed says whether the sampler's threshold has to be written on it, which
	// is so unless the span came with the same or a stricter one.
	Changed bool

	// Probability is the ratio of traces that samplers before this one kept.
	Probability float64
}

// Decide says what a sampler of the given threshold does with a span. A span that
// came with the same or a stricter threshold stays as it is. A threshold that the
// span's own randomness does not reach cannot be what it was kept by: it counts as
// none, but is not lowered either.
func Decide(traceState string, traceID [16]byte, ours uint64) Decision {
	th, hasTh, rv, hasRv := Parse(traceState)
	d := Decision{Keep: true, Probability: 1}
	if !hasRv {
		rv = Randomness(traceID)
	}
	if hasTh && rv >= th {
		d.Probability = Probability(th)
		if th >= ours {
			return d
		}
	}
	d.Keep = rv >= ours
	d.Changed = d.Keep && ours > 0 && (!hasTh || th < ours)
	return d
}
