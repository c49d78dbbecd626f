// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"encoding/binary"
	"math"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxAdjusted bounds how many spans one sampled span may stand for.
const maxAdjusted = 1 << 16

// adjusted returns how many spans a span stands for, which is the inverse of the
// probability with which it was sampled: 2^56 / (2^56 - T), with the rejection threshold T
// of "ot=th:…" in its trace state. What is left of a whole number is decided by the span's
// own id, so that the sum is right on average and needs no state. ok is false for a
// threshold that cannot be read or that rejects nearly everything.
func adjusted(state string, id pcommon.SpanID) (n uint64, ok bool) {
	if state == "" {
		return 1, true
	}
	threshold, found, ok := thresholdOf(state)
	switch {
	case !ok:
		return 0, false
	case !found || threshold == 0:
		return 1, true
	}
	const all = 1 << 56
	count := float64(all) / float64(all-threshold)
	if count > maxAdjusted {
		return 0, false
	}
	whole, part := math.Modf(count)
	if part > 0 && float64(binary.BigEndian.Uint64(id[:])>>11)/(1<<53) < part {
		whole++
	}
	return uint64(whole), true
}

// thresholdOf reads the threshold of a trace state: up to 14 hexadecimal digits, of which
// trailing zeros are left out.
func thresholdOf(state string) (threshold uint64, found, ok bool) {
	for member := range strings.SplitSeq(state, ",") {
		fields, isOT := strings.CutPrefix(strings.TrimSpace(member), "ot=")
		if !isOT {
			continue
		}
		for field := range strings.SplitSeq(fields, ";") {
			digits, isThreshold := strings.CutPrefix(field, "th:")
			if !isThreshold {
				continue
			}
			if len(digits) == 0 || len(digits) > 14 {
				return 0, true, false
			}
			for _, d := range []byte(digits) {
				switch {
				case d >= '0' && d <= '9':
					d -= '0'
				case d >= 'a' && d <= 'f':
					d -= 'a' - 10
				default:
					return 0, true, false
				}
				threshold = threshold<<4 | uint64(d)
			}
			return threshold << (4 * (14 - len(digits))), true, true
		}
	}
	return 0, false, true
}
