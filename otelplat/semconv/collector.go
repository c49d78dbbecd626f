// SPDX-License-Identifier: Apache-2.0

package semconv

// Attributes of the metrics of the collector's components. The metrics' own names are in
// each component's metadata.yaml.
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
