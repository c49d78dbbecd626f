// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"regexp/syntax"
	"unicode/utf8"
)

// shortest returns how many bytes every match of the pattern has at least. Most values
// of attributes are shorter than what a rule looks for, which costs nothing to see.
func shortest(pattern string) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	return shortestOf(re)
}

func shortestOf(re *syntax.Regexp) (n int) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return len(re.Rune) // what folds to a rune may be shorter than it
		}
		for _, r := range re.Rune {
			if r == utf8.RuneError {
				n++ // a byte that is no UTF-8 is one too
			} else {
				n += utf8.RuneLen(r)
			}
		}
		return n
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return shortestOf(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min * shortestOf(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			n += shortestOf(sub)
		}
		return n
	case syntax.OpAlternate:
		n = shortestOf(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			n = min(n, shortestOf(sub))
		}
		return n
	}
	return 0
}

// bytesSet is a set of ASCII characters.
type bytesSet [128]bool

// only returns the set's character when it has but one: looking for that is what
// processors have instructions for.
func (s *bytesSet) only() (c byte, ok bool) {
	if s == nil || s.size() != 1 {
		return 0, false
	}
	for c, in := range s {
		if in {
			return byte(c), true //nolint:gosec // below 128
		}
	}
	return 0, false
}

// needs returns characters of which every match of the pattern has at least one;
// nil when there is no such set of ASCII characters. Looking for one costs a
// hundredth of matching: of all the texts that a rule for card numbers looks at,
// most have no digit.
func needs(pattern string) *bytesSet {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return needed(re)
}

func needed(re *syntax.Regexp) *bytesSet {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 || len(re.Rune) == 0 || re.Rune[0] >= 128 {
			return nil // folding reaches beyond ASCII: K is also the Kelvin sign
		}
		set := &bytesSet{}
		set[re.Rune[0]] = true
		return set
	case syntax.OpCharClass:
		set := &bytesSet{}
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i+1] >= 128 {
				return nil
			}
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				set[c] = true
			}
		}
		return set
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needed(re.Sub[0])
		}
	case syntax.OpConcat: // any part will do: the one that fewest texts have
		var best *bytesSet
		for _, sub := range re.Sub {
			if set := needed(sub); set != nil && (best == nil || set.size() < best.size()) {
				best = set
			}
		}
		return best
	case syntax.OpAlternate: // one of the branches: all together
		all := &bytesSet{}
		for _, sub := range re.Sub {
			set := needed(sub)
			if set == nil {
				return nil
			}
			for c, in := range set {
				all[c] = all[c] || in
			}
		}
		return all
	}
	return nil
}

func (s *bytesSet) size() (n int) {
	for _, in := range s {
		if in {
			n++
		}
	}
	return n
}

// missing says that the text has none of the characters.
func (s *bytesSet) missing(text string) bool {
	if s == nil {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c < 128 && s[c] {
			return false
		}
	}
	return true
}
