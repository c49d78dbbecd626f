// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"regexp"
	"testing"
)

func FuzzNeedsNeverHidesAMatch(f *testing.F) {
	for _, pattern := range []string{
		`\b(?:4[0-9]{3}|5[1-5][0-9]{2})(?:[ -]?[0-9]{4}){3}\b`, `secret`, `(?i)secret`, `(?i)k`, `[^a]`, `a|b|`, `a*b`, `x{0,3}y{2}`,
		`é+`, `(ab|cd)+e?`, `^$|a`, `[[:alpha:]]+@`, `\p{L}9`, `.`, `(?s).x`, `a?`,
	} {
		for _, text := range []string{"", "a 4111 1111 1111 1111", "secret", "SECRET", "\u212a", "bbb", "yy", "é", "abcde", "\xff", "x\n9", "λ9"} {
			f.Add(pattern, text)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return
		}
		if set := needs(pattern); set.missing(text) && re.MatchString(text) {
			t.Errorf("%q matches %q, which is said to lack what the pattern needs", pattern, text)
		}
	})
}

func TestWhatAPatternNeeds(t *testing.T) {
	for pattern, want := range map[string]int{ // number of characters; 0 for no set
		`\d{4}`: 10, `a|b`: 2, `[0-9]+x`: 1, `(?i)k`: 0, `a*`: 0, `[^a]`: 0, `a|b*`: 0, `(4[0-9]|3)x?`: 2,
	} {
		got := 0
		if set := needs(pattern); set != nil {
			got = set.size()
		}
		if got != want {
			t.Errorf("%q needs one of %d characters, expected %d", pattern, got, want)
		}
	}
}
