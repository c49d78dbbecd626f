// SPDX-License-Identifier: Apache-2.0

// Package policyprocessor is the collector processor "otelplat_policy": Rego decides what
// may be sent, what is kept, what is taken out of it and where it goes. It works on traces,
// metrics and logs, in one of three modes.
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
// one connection. docs/governance.md has policies to start from.
//
// # claims
//
// For each resource the package otelplat.claims is asked whether the sender may
// send as that service. The sender is the one that an authenticator of the receiver
// such as otelplat_policy_auth put into the request, never something in the data. The
// input is AuthZEN's:
//
//	{"subject": {"type": "service", "id": "orders", "properties": {"issuer": …, "tenant": …,
//	              "method": "jwt", "roles": […]}},
//	 "action": {"name": "send"},
//	 "resource": {"type": "service", "id": "<service.name>",
//	              "properties": {"namespace": "<service.namespace>", "tenant": "<tenant.id>"}}}
//
// What may not be sent is removed, counted by reason (unauthenticated, denied,
// decision_failed) in otelcol_processor_policy_claims_items, and told in an event; the rest
// goes on. A resource that says twice who it is may not be sent at all: readers differ in
// which of two values they take. Decisions are cached, 4096 of them, for as long as their
// revision is in force. With reject the request is refused as a whole, permanently.
//
// # enforce
//
// For each span, metric and log record the package otelplat.telemetry is asked:
//
//	drop contains "noise" if …       # names of rules
//	keep contains "errors" if …      # beats drop
//	observe contains "v1" if …       # only counts
//	sample["noisy"] := 0.1 if …      # of several the least; consistent by trace
//	redact["card-number"] := {       # package redact lists fields and actions
//		"action": "mask",
//		"fields": ["body", "attributes.*"],
//		"pattern": `[0-9]{16}`,
//	}
//	set["team"] := {"attributes.team": "shop"} if …  # package setting lists fields
//	route := "eu" if …               # for the connector otelplat_route
//	dry_run contains "noise"         # annotates instead of acting; "*" is all
//
// The input is
//
//	{"signal": "traces" | "metrics" | "logs",
//	 "resource": {"attributes": {…}},
//	 "scope": {"name": …, "version": …, "attributes": {…}},
//	 "item": …}
//
// with an item that is a span {name, kind: "server", status: {code: "error", message},
// duration_ns, root, attributes, events: [{name, attributes}], links: [{attributes}]}, a log
// record {body, body_text, severity_text, severity_number, event_name, attributes} whose
// body is what was sent and whose body_text is that as text, or a metric {name, type: "sum",
// unit, description, monotonic, temporality: "delta"}. Rules see an item as it came, before
// any of them changes it, and what they do is done in the order of the list above. Fields
// of resource and scope are written once for all of their items, when one item asks for it.
//
// Sampling keeps a span when the randomness of its trace reaches the threshold, as
// OpenTelemetry's consistent probability sampling has it: what came with a stricter
// threshold stays, and the threshold is written, so that sampling twice is sampling once.
// Log records go by their trace, and carry sampling.threshold; without a trace they are
// chosen at random. Metrics are not sampled.
//
// A sender's own otelplat.telemetry.route is removed where the bundle has routes: on items
// and on resources.
//
// Every item that was dropped, kept, sampled out, redacted, set or routed is counted by
// rule, reason and signal in otelcol_processor_policy_items, and every match of a rule in
// otelcol_processor_policy_rule_matches. Names of rules belong into the policy: those beyond
// 256 are counted as "_other". Some batches a second are told as events
// otelplat.telemetry.govern, with the numbers and no values.
//
// # observe
//
// A bundle of observe rules alone is asked, and nothing is changed: the collector makes no
// copy of the data for this. A bundle with other rules is refused, and the last good one
// stays.
//
// # How it is asked
//
// Rules are compiled as package policy compiles them. Of most items a look at an attribute
// or two tells that no rule has anything to say (compile.Screen): tens of nanoseconds,
// whatever the number of rules, and no allocation. Others are evaluated natively. What
// cannot be lowered is OPA's. Its answers are kept, 8192 for each rule, by the parts of the
// input that the rule can depend on; items without one are asked about in one evaluation,
// 256 at a time, which takes one to three microseconds an item; and rules that cannot be
// asked so (policy.Snapshot.Batch), and those of keep, once for each item, which takes tens of
// microseconds. "otelplat policy explain" tells which rule is which, and so does the log when
// a revision comes into force.
//
// # When something fails
//
// A keep, drop, sample or set that fails does nothing. A redact rule that cannot be
// understood deletes the fields that it names; when these are not known, or when a redact or
// the route fails, the item is dropped. Each is counted in
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
