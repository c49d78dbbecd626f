// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Set is rules that are applied together, in one pass over what they look at. Each value
// meets them in their order. It is immutable and safe for concurrent use; what its methods
// are given to count in is not.
type Set struct {
	rules []*Rule

	// least is how many bytes a text has at least that any of them could find anything in.
	// Numbers between low and high are shorter as texts.
	least     int
	low, high int64
}

// NewSet returns the set of rules.
func NewSet(rules ...*Rule) *Set {
	s := &Set{rules: rules, least: math.MaxInt}
	for _, r := range rules {
		if r.pattern == nil || r.everything { // takes any value, or looks at keys
			s.least = 0
		}
		s.least = min(s.least, r.least)
	}
	// A positive number of n bytes is at least 10 to the n-1, a negative one of so many, of
	// which one is its sign, at most -10 to the n-2.
	s.high, s.low = power10(s.least-1), -power10(s.least-2)
	return s
}

// power10 is 10 to the n, 0 for none, and at most the greatest number.
func power10(n int) int64 {
	if n < 0 {
		return 0
	}
	p := int64(1)
	for range n {
		if p > math.MaxInt64/10 {
			return math.MaxInt64
		}
		p *= 10
	}
	return p
}

// tooShort tells of most values that none of the rules finds anything in them.
func (s *Set) tooShort(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return len(v.Str()) < s.least
	case pcommon.ValueTypeInt:
		return s.least > 0 && v.Int() > s.low && v.Int() < s.high
	case pcommon.ValueTypeBool:
		return s.least > len("false")
	}
	return false
}

// Is reports whether the set is of these rules, in this order.
func (s *Set) Is(rules []*Rule) bool { return s != nil && slices.Equal(s.rules, rules) }

// Len returns how many rules there are.
func (s *Set) Len() int { return len(s.rules) }

// Rule returns one of them.
func (s *Set) Rule(i int) *Rule { return s.rules[i] }

// place is what has attributes, or keys.
type place uint8

const (
	ofBody place = iota
	ofAttributes
	ofEvents
	ofLinks
	ofResource
	ofScope
	places
)

var placeNames = [places]string{"body", "attributes", "events", "links", "resource", "scope"}

// entries takes what the rules find from the selected keys of a map, and counts by rule
// how many values it changed or removed.
func (s *Set) entries(m pcommon.Map, at place, counts []int) {
	if m.Len() == 0 || !s.looksAt(at) {
		return
	}
	m.RemoveIf(func(key string, v pcommon.Value) bool {
		if s.tooShort(v) {
			return false
		}
		for i, r := range s.rules {
			if !r.at[at].matches(key) {
				continue
			}
			if r.hides(key) {
				counts[i]++
				return true
			}
			n, remove := r.value(v)
			if counts[i] += n; remove {
				return true
			}
		}
		return false
	})
}

func (s *Set) looksAt(at place) bool {
	for _, r := range s.rules {
		if !r.at[at].empty() {
			return true
		}
	}
	return false
}

// each applies to every rule what returns how many values it changed.
func (s *Set) each(counts []int, f func(*Rule) int) {
	for i, r := range s.rules {
		counts[i] += f(r)
	}
}
