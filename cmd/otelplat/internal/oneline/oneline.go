// SPDX-License-Identifier: Apache-2.0

// Package oneline makes what somebody wrote fit a line of a terminal.
package oneline

import (
	"strings"
	"unicode"
)

// Of returns the text with a space for each rune that is not printed: control characters, of
// C1 too, would move the cursor, and marks of direction would turn the rest of the line round.
func Of(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// Cut is [Of] with at most a number of runes, of which the last is an ellipsis where there
// were more.
func Cut(s string, runes int) string {
	const longest = 4 // bytes of a rune
	text := []rune(Of(s[:min(len(s), longest*runes)]))
	if len(text) > runes || len(s) > longest*runes {
		return string(text[:min(len(text), runes-1)]) + "…"
	}
	return string(text)
}
