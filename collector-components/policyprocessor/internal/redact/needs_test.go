// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"math"
	"regexp"
	"strconv"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

func FuzzNeedsNeverHidesAMatch(f *testing.F) {
	for _, pattern := range []string{
		`\b(?:4[0-9]{3}|5[1-5][0-9]{2})(?:[ -]?[0-9]{4}){3}\b`, `secret`, `(?i)secret`, `(?i)k`, `[^a]`, `a|b|`, `a*b`, `x{0,3}y{2}`,
		`é+`, "\ufffd", `(ab|cd)+e?`, `^$|a`, `[[:alpha:]]+@`, `\p{L}9`, `.`, `(?s).x`, `a?`,
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
		for _, match := range re.FindAllString(text, -1) {
			if least := shortest(pattern); len(match) < least {
				t.Errorf("%q matches %q, which is said to be too short: %d", pattern, match, least)
			}
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

func TestTheShortestMatchIsNeverLongerThanAMatch(t *testing.T) {
	for pattern, want := range map[string]int{
		`4[0-9]{12}(?:[0-9]{3})?`: 13, `(5[1-5][0-9]{14})`: 16, `a|bcd`: 1, `x*`: 0, `x+y?`: 1, `(?i)K`: 1, `ä`: 2, `.`: 1,
		`^abc$`: 3, `[a-z]+@[a-z]+`: 3, `(ab){2,}c`: 5, `\bfoo\b`: 3, `(`: 0,
	} {
		if got := shortest(pattern); got != want {
			t.Errorf("%s: %d, expected %d", pattern, got, want)
		}
	}
}

func TestNumbersAreSearchedUnlessTheyAreTooShort(t *testing.T) {
	for _, digits := range []int{1, 2, 5, 13, 18, 19, 20, 21} {
		rule, err := Compile("r", Spec{Action: Mask, Fields: []string{"attributes.*"}, Pattern: `[-0-9]{` + strconv.Itoa(digits) + `}`}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int64{0, 9, 10, -1, -9, -10, 99_999, 100_000, -9_999, 999_999_999_999, 1_000_000_000_000, math.MaxInt64, math.MinInt64} {
			v := pcommon.NewValueInt(n)
			_, found := rule.text(v.AsString())
			if found && NewSet(rule).tooShort(v) {
				t.Errorf("%d digits are in %d, which is said to be too short", digits, n)
			}
			if short := len(v.AsString()) < digits; short != NewSet(rule).tooShort(v) && digits < 19 {
				t.Errorf("%d is shorter than %d: %v", n, digits, short)
			}
		}
	}
}
