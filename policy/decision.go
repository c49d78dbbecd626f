// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
)

// Rules that decide when no rule of the bundle did.
const (
	RuleAllow    = "allow"     // the rule allow held, and no deny
	RuleDefault  = "default"   // nothing allowed it
	RuleNoPolicy = "no-policy" // no bundle is loaded, or it lacks the entrypoint
	RuleError    = "error"     // the policy could not be evaluated
)

// Outcome tells apart how a decision came about. All but [Allowed] deny.
type Outcome string

// Outcomes.
const (
	Allowed     Outcome = "allow"
	Denied      Outcome = "deny"
	Undefined   Outcome = "undefined"     // allow has no value: no rule held, and there is no default
	Conflict    Outcome = "conflict"      // two rules gave different values
	BuiltinFail Outcome = "builtin_error" // a builtin function failed, such as startswith of a number
	TimedOut    Outcome = "timeout"       // the evaluation took too long, or the caller's context ended
	TooLarge    Outcome = "too_large"     // the input is beyond MaxInputValues or MaxInputText
	NoPolicy    Outcome = "no_policy"     // no bundle is loaded, or it lacks the entrypoint
	Failed      Outcome = "error"         // anything else
)

// Errors of [Engine.Decide], beside the context's and [ErrNoBundle].
var (
	ErrNoEntrypoint = errors.New("policy: the bundle has no such entrypoint")
	ErrConflict     = errors.New("policy: rules contradict each other")
	ErrBuiltin      = errors.New("policy: a builtin function failed")
	ErrTimeout      = errors.New("policy: the evaluation took longer than it may")
	ErrTooLarge     = errors.New("policy: the input is too large")
	ErrShape        = errors.New("policy: a rule has another form than asked for")
)

// Decision is the answer to a request. The zero value denies.
type Decision struct {
	Allow       bool
	Outcome     Outcome
	Rule        string   // that decided: a name from deny, or one of the Rule constants
	Rules       []string // all names from deny, in order
	Reasons     []string // what the rule reasons says, for people
	Obligations []any    // what the rule obligations demands of who lets the request through
	Entrypoint  string
	Bundle      string
	Revision    string
	ID          DecisionID // in the event of the decision too
	Cached      bool       // it was made for an equal request before
}

// DecisionID names one decision. It is random, and no secret.
type DecisionID [16]byte

func newDecisionID() (id DecisionID) {
	// ChaCha8, seeded by the runtime: ids of two processes do not meet.
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	return id
}

// String returns the id in hexadecimal.
func (id DecisionID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the id in hexadecimal.
func (id DecisionID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// IsZero reports whether there is no id.
func (id DecisionID) IsZero() bool { return id == DecisionID{} }
