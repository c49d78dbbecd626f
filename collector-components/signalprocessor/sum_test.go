// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// sum returns the value of a counter for one reason, of all sources.
func sum(m metricdata.Metrics, reason string) int64 {
	data, ok := m.Data.(metricdata.Sum[int64])
	if !ok {
		return 0
	}
	n := int64(0)
	for _, dp := range data.DataPoints {
		if v, _ := dp.Attributes.Value(semconv.CollectorReason); v.AsString() == reason {
			n += dp.Value
		}
	}
	return n
}
