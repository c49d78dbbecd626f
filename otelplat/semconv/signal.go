// SPDX-License-Identifier: Apache-2.0

package semconv

// Metrics of the collector's signal processor. They go through the collector's
// own telemetry, whose names begin with otelcol and have no dots.
const (
	SignalMeasurements = "otelcol_processor_signal_measurements" // counter, {measurement}; attribute reason: taken, or why not
	SignalPuts         = "otelcol_processor_signal_puts"         // counter, {share}
	SignalBytes        = "otelcol_processor_signal_put_bytes"    // counter, By
	SignalDeletes      = "otelcol_processor_signal_deletes"      // counter, {share}
	SignalThrottled    = "otelcol_processor_signal_throttled"    // counter, {share}
	SignalErrors       = "otelcol_processor_signal_errors"       // counter, {error}
	SignalInstances    = "otelcol_processor_signal_instances"    // gauge, {instance}
)
