// SPDX-License-Identifier: Apache-2.0

// Package policyprocessor is the collector processor "otelplat_policy": Rego decides what
// may be sent, what is kept and what is taken out of it. It works on traces,
// metrics and logs, in one of two modes.
//
//	processors:
//	  otelplat_policy/claims:
//	    mode: claims
//	    bundle: telemetry
//	    keys: [/etc/otelplat/policy.pub] # who may sign bundles
//	    etcd: {endpoints: [http://127.0.0.1:2379], namespace: default}
//	  otelplat_policy/enforce:
//	    mode: enforce
//	    bundle: telemetry
//	    directory: /etc/otelplat/telemetry # in place of etcd and keys
//	    hash_key: ${env:HASH_KEY}          # of the redaction "hash"
//	    require_bundle: true               # the default
//
// A new revision of the bundle is in force for the next batch, without a restart.
// Instances whose bundle comes from the same place share one engine, one watch and
// one connection.
//
// # claims
//
// For each resource the package otelplat.claims is asked whether the sender may
// send as that service. The sender is the one that an authenticator of the receiver
// such as otelplat_policy_auth put into the request, never something in the data. The input
// is AuthZEN's:
//
//	{"subject": {"type": "service", "id": "orders", "properties": {"issuer": …, "tenant": …}},
//	 "action": {"name": "send"},
//	 "resource": {"type": "service", "id": "<service.name>"}}
//
// What may not be sent is removed and counted by reason (unauthenticated, denied,
// decision_failed) in otelcol_processor_policy_claims_items; the rest goes on.
// Decisions are cached, 4096 of them, for as long as their revision is in force.
//
// # enforce
//
// For each span, metric and log record the package otelplat.telemetry is asked:
//
//	drop contains "noise" if …       # names of rules
//	keep contains "errors" if …      # beats drop
//	redact["card-number"] := {       # package redact lists fields and actions
//		"action": "mask",
//		"fields": ["body", "attributes.*"],
//		"pattern": `[0-9]{16}`,
//	}
//
// The input is
//
//	{"signal": "traces" | "metrics" | "logs",
//	 "resource": {"attributes": {…}},
//	 "scope": {"name": …, "version": …, "attributes": {…}},
//	 "item": …}
//
// with an item that is a span {name, kind: "server", status: {code: "error",
// message}, attributes}, a log record {body, severity_text, severity_number,
// event_name, attributes} whose body is text, a structured one as JSON, or a metric
// {name, type: "sum"}. Rules see an item as it came, before any of them redacts it.
// resource.* and scope.* fields are redacted once for all items of the resource or
// scope, when one item asks for it. Names of rules belong into the policy: those
// beyond 256 are counted as "_other".
//
// Every item that was dropped, kept or redacted is counted by rule, reason and
// signal in otelcol_processor_policy_items. A bundle without drop and redact costs
// nothing for each item, one without redact nothing for redaction. Verdicts are
// kept, 8192 of them, by the parts of the input that the rules can depend on: rules
// about names, kinds and a few attributes cost tenths of a microsecond for each
// item, those about bodies or ids tens of microseconds, since they are evaluated.
//
// # When something fails
//
// A keep or drop that fails keeps the item. A redact rule that cannot be understood
// removes the fields that it names; when these are not known, or when redact fails
// as a whole, the item is dropped. Each is counted in
// otelcol_processor_policy_rule_failures.
//
// While no bundle is loaded, batches are refused with Unavailable (HTTP 503), for
// the sender to try again, and nothing passes. When etcd goes away the last bundle
// stays in force. With "require_bundle: false" everything passes in that time,
// secrets too.
//
// # Where to put it
//
// Behind memory_limiter and before batch, which forgets the sender and whose
// refusals no sender hears of.
package policyprocessor
