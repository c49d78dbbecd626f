// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// value changes v in place, at every depth, and says how many values it changed
// and whether v itself is to be removed by its owner.
func (r *Rule) value(v pcommon.Value) (changed int, remove bool) {
	if r.pattern == nil && r.action == Delete {
		return 1, true
	}
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
		return 0, false
	case pcommon.ValueTypeMap:
		if r.pattern != nil {
			v.Map().RemoveIf(func(key string, inner pcommon.Value) bool {
				if r.hides(key) {
					changed++
					return true
				}
				n, gone := r.value(inner)
				changed += n
				return gone
			})
			return changed, false
		}
	case pcommon.ValueTypeSlice:
		if r.pattern != nil {
			v.Slice().RemoveIf(func(inner pcommon.Value) bool {
				n, gone := r.value(inner)
				changed += n
				return gone
			})
			return changed, false
		}
	case pcommon.ValueTypeBytes:
		// AsString would be base64, in which no pattern finds anything.
		text, found := r.text(string(v.Bytes().AsRaw()))
		if !found {
			return 0, false
		}
		if r.action != Delete {
			v.SetStr(text)
		}
		return 1, r.action == Delete
	}
	text, found := r.text(v.AsString())
	if !found {
		return 0, false
	}
	if r.action != Delete {
		v.SetStr(text)
	}
	return 1, r.action == Delete
}

// cannotMatch tells of most texts, at next to no cost, that the pattern finds nothing.
func (r *Rule) cannotMatch(s string) bool {
	switch {
	case len(s) < r.least:
		return true
	case r.one:
		return strings.IndexByte(s, r.alone) < 0
	}
	return r.needs.missing(s)
}

// text returns what stands in the place of s, and whether the rule found
// anything in it. For [Delete] that is the empty string.
func (r *Rule) text(s string) (string, bool) {
	if r.pattern == nil {
		if s == "" {
			return "", false
		}
		switch r.action {
		case Mask:
			return Masked, true
		case Hash:
			return r.hash(s), true
		default:
			return "", true
		}
	}
	if r.cannotMatch(s) || !r.pattern.MatchString(s) {
		return s, false
	}
	switch r.action {
	case Mask:
		return r.pattern.ReplaceAllLiteralString(s, Masked), true
	case Hash:
		return r.pattern.ReplaceAllStringFunc(s, r.hash), true
	default:
		return "", true
	}
}

// stringField applies the rule to a field that holds a string and cannot be absent:
// removing it leaves it empty.
func (r *Rule) stringField(get func() string, set func(string)) int {
	text, found := r.text(get())
	if !found {
		return 0
	}
	set(text)
	return 1
}
