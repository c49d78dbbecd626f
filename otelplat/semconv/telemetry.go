// SPDX-License-Identifier: Apache-2.0

package semconv

// Attributes of telemetry on its way through the collector, from the component that sets
// them to the one that acts on them and takes them out.
const (
	TelemetryRoute = "otelplat.telemetry.route" // route of a span, metric (its metadata) or log record, or of all of a resource
)
