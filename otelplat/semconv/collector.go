// SPDX-License-Identifier: Apache-2.0

package semconv

// Metrics of the collector components. They go through the collector's own
// telemetry, whose names begin with otelcol and have no dots.
const (
	CollectorPolicyItems     = "otelcol_processor_policy_items"           // counter, {item}; attributes action, rule, reason, otelcol.signal
	CollectorPolicySeen      = "otelcol_processor_policy_seen_items"      // counter, {item}; attributes otelcol.signal
	CollectorPolicyMatches   = "otelcol_processor_policy_rule_matches"    // counter, {item}; attributes rule, otelcol.signal
	CollectorPolicyLastMatch = "otelcol_processor_policy_rule_last_match" // gauge, s of Unix time; attributes rule, otelcol.signal
	CollectorPolicyFailed    = "otelcol_processor_policy_rule_failures"   // counter, {evaluation}; attributes rule, reason, otelcol.signal
	CollectorPolicyRefused   = "otelcol_processor_policy_refused_batches" // counter, {batch}; attributes reason, otelcol.signal
	CollectorPolicyClaims    = "otelcol_processor_policy_claims_items"    // counter, {item}; attributes reason, otelcol.signal
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
	SenderMethod    = "method"    // jwt, api_key, certificate
	SenderRoles     = "roles"     // list of strings
	SenderScopes    = "scopes"    // list of strings
)
