// SPDX-License-Identifier: Apache-2.0

package semconv

// Metrics of the collector components. They go through the collector's own
// telemetry, whose names begin with otelcol and have no dots.
const (
	CollectorAuthRefusals = "otelcol_extension_policy_auth_refusals" // counter, {request}; attribute reason
)

// Attributes of those metrics.
const (
	CollectorAction = "action" // dropped, kept, redacted
	CollectorRule   = "rule"   // name of the rule in the bundle
	CollectorReason = "reason"
	CollectorSignal = "otelcol.signal" // traces, metrics, logs
)

// Attributes of an authenticated sender in the collector (client.Info).
const (
	SenderSubject   = "subject"
	SenderKind      = "kind"
	SenderIssuer    = "issuer"
	SenderTenant    = "tenant"
	SenderPrincipal = "principal" // "<kind>:<subject>"
)
