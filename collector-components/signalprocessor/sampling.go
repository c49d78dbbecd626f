// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"encoding/binary"
	"math"

	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxAdjusted bounds how many spans one sampled span may stand for.
const maxAdjusted = 1 << 16

// adjusted returns how many spans a span stands for, which is the inverse of the
// probability with which it was sampled, by "ot=th:…" in its trace state. A threshold that
// cannot be read, or that its trace's randomness does not reach, is none: the span stands
// for itself. What is left of a whole number is decided by the span's own id, so that the
// sum is right on average and needs no state. ok is false for a threshold that rejects
// nearly everything.
func adjusted(state string, trace pcommon.TraceID, id pcommon.SpanID) (n uint64, ok bool) {
	if state == "" {
		return 1, true
	}
	count := 1 / tracestate.Decide(state, trace, 0).Probability
	switch {
	case count == 1:
		return 1, true
	case count > maxAdjusted:
		return 0, false
	}
	whole, part := math.Modf(count)
	if part > 0 && float64(binary.BigEndian.Uint64(id[:])>>11)/(1<<53) < part {
		whole++
	}
	return uint64(whole), true
}
