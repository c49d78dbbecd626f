// SPDX-License-Identifier: Apache-2.0

package router

import (
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// leastToTell is how many answers a quantile needs.
const leastToTell = 20

// quantiles is the distribution of a service's latency over the last ten seconds, as of the
// last look. It is immutable.
type quantiles struct {
	latency signal.Histogram
	count   uint64
}

// at returns the latency below which a part of the answers lies, 0 when there are too few.
func (q *quantiles) at(part float64) time.Duration {
	if q.count < leastToTell {
		return 0
	}
	return time.Duration(q.latency.Quantile(part) * float64(time.Second))
}
