// SPDX-License-Identifier: Apache-2.0

package policy

// Rules that decide when no rule of the bundle did.
const (
	RuleAllow    = "allow"     // the rule allow held, and no deny
	RuleDefault  = "default"   // nothing allowed it
	RuleNoPolicy = "no-policy" // no bundle is loaded, or it lacks the entrypoint
	RuleError    = "error"     // the policy could not be evaluated
)

// Decision is the answer to a request. The zero value denies.
type Decision struct {
	Allow      bool
	Rule       string   // that decided: a name from deny, or one of the Rule constants
	Rules      []string // all names from deny, in order
	Entrypoint string
	Bundle     string
	Revision   string
	ID         string // random; in the event of the decision too
	Err        error  // why it could not be evaluated; not for the caller's eyes
}
