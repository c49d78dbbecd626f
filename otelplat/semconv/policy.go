// SPDX-License-Identifier: Apache-2.0

package semconv

// Events of policy engines.
const (
	EventPolicyDecide = "otelplat.policy.decide" // a decision: each denial, one in a hundred of those that allow
	EventPolicyLoad   = "otelplat.policy.load"   // another revision of a bundle is in force
	EventPolicyRefuse = "otelplat.policy.refuse" // a revision was refused; the last good one stays
	EventPolicyUnload = "otelplat.policy.unload" // the bundle was deleted: everything is denied
)

// Metrics of policy engines.
const (
	PolicyDecisions  = "otelplat.policy.decisions"  // counter, {decision}: by entrypoint, outcome and rule
	PolicyLoads      = "otelplat.policy.loads"      // counter, {load}: by bundle and outcome
	PolicySuppressed = "otelplat.policy.suppressed" // counter, {event}: decision events beyond the rate limit
)

// Attributes of policies.
const (
	PolicyBundle      = "otelplat.policy.bundle"        // name of the bundle
	PolicyRevision    = "otelplat.policy.revision"      // its revision
	PolicyEntrypoint  = "otelplat.policy.entrypoint"    // package that was asked
	PolicyOutcome     = "otelplat.policy.outcome"       // "allow", "deny" or "error"; of loads "applied" or "refused"
	PolicyRule        = "otelplat.policy.rule"          // name of the rule that decided
	PolicyDecisionID  = "otelplat.policy.decision.id"   // random, also in the answer to the caller
	PolicySubjectType = "otelplat.policy.subject.type"  // of the AuthZEN input
	PolicySubjectID   = "otelplat.policy.subject.id"    //
	PolicyAction      = "otelplat.policy.action"        //
	PolicyResource    = "otelplat.policy.resource.type" //
	PolicyResourceID  = "otelplat.policy.resource.id"   //
)
