// SPDX-License-Identifier: Apache-2.0

package semconv

// Events and metrics of health checks.
const (
	EventHealthChange = "otelplat.health.change" // a check, or the whole, has another status

	HealthStatus   = "otelplat.health.status"   // gauge: 1 while a check is up, 0 while it is down
	HealthAge      = "otelplat.health.age"      // gauge, s: of a check's last result
	HealthFailures = "otelplat.health.failures" // counter, {failure}: by check and reason
)

// Attributes of health checks.
const (
	HealthCheck    = "otelplat.health.check"    // name of the check; empty for the whole
	HealthSeverity = "otelplat.health.severity" // "critical" or "degraded"
	HealthReason   = "otelplat.health.reason"   // "error" or "timeout"
	HealthFrom     = "otelplat.health.from"     // status before a change
	HealthTo       = "otelplat.health.to"       // status after it
)
