// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Action is what happens to what a rule finds.
type Action string

// The actions.
const (
	Mask   Action = "mask"
	Hash   Action = "hash"
	Delete Action = "delete"
)

// Masked stands where a secret stood.
const Masked = "****"

// hashDigits is how much of the HMAC stays: 64 bits tell values apart and are
// too few to be worth keeping a table of.
const hashDigits = 16

// Spec is a rule as it is written in a policy.
type Spec struct {
	Action  Action
	Fields  []string
	Pattern string // RE2; empty takes the whole value
}

// Rule is a compiled [Spec]. It is immutable and safe for concurrent use.
type Rule struct {
	name    string
	action  Action
	pattern *regexp.Regexp // nil: the whole value
	needs   *bytesSet      // what a match has at least one of; nil: unknown
	one     bool           // needs is the character alone
	alone   byte
	least   int // bytes of a match
	key     []byte

	at                                     [places]selector
	spanName, status, eventName, wholeBody bool
	everything                             bool
}

// Name returns the rule's name.
func (r *Rule) Name() string { return r.name }

// Action returns the action, which is [Delete] for a rule that failed.
func (r *Rule) Action() Action { return r.action }

// Compile returns the rule. The key is that of the "hash" action. With an error
// the rule is either one that removes its fields whole, or nil when it is not
// known which fields it meant.
func Compile(name string, s Spec, key []byte) (*Rule, error) {
	r := &Rule{name: name, action: s.Action, key: key}
	if len(s.Fields) == 0 {
		return nil, fmt.Errorf("redact rule %q names no fields", name)
	}
	for _, f := range s.Fields {
		if err := r.field(f); err != nil {
			return nil, fmt.Errorf("redact rule %q: %w", name, err)
		}
	}
	var failed error
	switch s.Action {
	case Mask, Hash, Delete:
	default:
		failed = fmt.Errorf("redact rule %q: action %q is not mask, hash or delete", name, s.Action)
	}
	if s.Pattern != "" && failed == nil {
		if r.pattern, failed = regexp.Compile(s.Pattern); failed != nil {
			failed = fmt.Errorf("redact rule %q: %w", name, failed)
		} else if r.pattern.MatchString("") {
			failed = fmt.Errorf("redact rule %q: pattern %q matches the empty string", name, s.Pattern)
		}
	}
	if r.pattern != nil {
		r.needs, r.least = needs(s.Pattern), shortest(s.Pattern)
		r.alone, r.one = r.needs.only()
	}
	if r.everything && s.Pattern == "" && failed == nil {
		failed = fmt.Errorf("redact rule %q: the field %q takes a pattern", name, Everything)
	}
	if failed != nil && r.everything {
		return nil, failed // what is left of an item without any text is no item
	}
	if failed != nil {
		r.action, r.pattern, r.needs, r.one, r.least = Delete, nil, nil, false, 0
	}
	return r, failed
}

var errField = errors.New("unknown field")

func (r *Rule) field(f string) error {
	switch f {
	case Everything:
		r.all()
		return nil
	case "body":
		r.wholeBody = true
		return nil
	case "name":
		r.spanName = true
		return nil
	case "status":
		r.status = true
		return nil
	case "event_name":
		r.eventName = true
		return nil
	}
	where, key, _ := strings.Cut(f, ".")
	at := slices.Index(placeNames[:], where)
	if at < 0 || key == "" {
		return fmt.Errorf("%w %q", errField, f)
	}
	if prefix, star := strings.CutSuffix(key, "*"); star {
		r.at[at].prefixes, r.at[at].all = append(r.at[at].prefixes, prefix), r.at[at].all || prefix == ""
	} else {
		r.at[at].keys = append(r.at[at].keys, key)
	}
	return nil
}

// selector says which keys of a map a rule means.
type selector struct {
	keys, prefixes []string
	all            bool // one of the prefixes is that of every key
}

func (s *selector) empty() bool { return len(s.keys) == 0 && len(s.prefixes) == 0 }

func (s *selector) matches(key string) bool {
	if s.all {
		return true
	}
	for _, k := range s.keys {
		if k == key {
			return true
		}
	}
	for _, p := range s.prefixes {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

func (r *Rule) hash(value string) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(value)) // a hash's Write returns no error
	return hex.EncodeToString(mac.Sum(nil))[:hashDigits]
}
