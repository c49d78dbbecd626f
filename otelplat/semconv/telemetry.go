// SPDX-License-Identifier: Apache-2.0

package semconv

// What the collector's policy writes on telemetry.
const (
	TelemetryRoute = "otelplat.telemetry.route" // the pipelines it goes to: a span's or log record's attribute, a metric's metadata
	PolicyDryRun   = "otelplat.policy.dry_run"  // what rules would have done that do not act, "drop:noise" each
)

// Events of the collector's policy.
const (
	TelemetryGovern = "otelplat.telemetry.govern" // rules acted upon items of a batch
	TelemetryRefuse = "otelplat.telemetry.refuse" // a sender sent what it may not send
)

// Attributes of those events.
const (
	TelemetryAction = "otelplat.telemetry.action" // dropped, kept, observed, sampled, redacted, set, routed
	TelemetryRule   = "otelplat.telemetry.rule"   // name of the rule
	TelemetryReason = "otelplat.telemetry.reason" // why, as in the counters
	TelemetrySignal = "otelplat.telemetry.signal" // traces, metrics, logs
	TelemetryItems  = "otelplat.telemetry.items"  // how many it concerns
	TelemetrySender = "otelplat.telemetry.sender" // principal, "<kind>:<subject>"
)
