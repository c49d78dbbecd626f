// SPDX-License-Identifier: Apache-2.0

package semconv

// Events of policy engines.
const (
	EventPolicyDecide = "otelplat.policy.decide" // a decision: each denial, one in a hundred of those that allow
	EventPolicyLoad   = "otelplat.policy.load"   // another revision of a bundle is in force
	EventPolicyRefuse = "otelplat.policy.refuse" // a revision was refused; the last good one stays
	EventPolicyUnload = "otelplat.policy.unload" // the bundle was deleted: everything is denied

	EventPolicyDisagree = "otelplat.policy.disagree" // a candidate bundle would have decided otherwise
)

// Metrics of policy engines.
const (
	PolicyDecisions  = "otelplat.policy.decisions"  // counter, {decision}: by entrypoint, outcome and rule
	PolicyLoads      = "otelplat.policy.loads"      // counter, {load}: by bundle and outcome
	PolicySuppressed = "otelplat.policy.suppressed" // counter, {event}: decision events for which the queue had no room

	PolicySurprises      = "otelplat.policy.surprises"       // counter, {decision}: that a lowered entrypoint left to OPA
	PolicyShadowed       = "otelplat.policy.shadowed"        // counter, {decision}: asked of a candidate too, by outcome "agree" or "disagree"
	PolicyBundleRevision = "otelplat.policy.bundle.revision" // gauge, {revision}: in force, 0 where it is no number
	PolicyBundleAge      = "otelplat.policy.bundle.age"      // gauge, s: since that was known to be the newest
)

// Attributes of policies.
const (
	PolicyBundle      = "otelplat.policy.bundle"        // name of the bundle
	PolicyRevision    = "otelplat.policy.revision"      // its revision
	PolicyEntrypoint  = "otelplat.policy.entrypoint"    // package that was asked
	PolicyOutcome     = "otelplat.policy.outcome"       // "allow", or why not: "deny", "undefined", "conflict", "builtin_error", "timeout", "too_large", "no_policy", "error"; of loads "applied" or "refused"
	PolicyRule        = "otelplat.policy.rule"          // name of the rule that decided
	PolicyDecisionID  = "otelplat.policy.decision.id"   // random, also in the answer to the caller
	PolicySubjectType = "otelplat.policy.subject.type"  // of the AuthZEN input
	PolicySubjectID   = "otelplat.policy.subject.id"    //
	PolicyAction      = "otelplat.policy.action"        //
	PolicyResource    = "otelplat.policy.resource.type" //
	PolicyResourceID  = "otelplat.policy.resource.id"   //
	PolicyCached      = "otelplat.policy.cached"        // true for a decision that was made for an equal request before
	PolicyInput       = "otelplat.policy.input"         // the input as JSON, masked; only where asked for

	PolicyCandidateOutcome  = "otelplat.policy.candidate.outcome"  // of the candidate in shadow
	PolicyCandidateRule     = "otelplat.policy.candidate.rule"     //
	PolicyCandidateRevision = "otelplat.policy.candidate.revision" //
)
