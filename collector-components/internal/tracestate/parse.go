// SPDX-License-Identifier: Apache-2.0

package tracestate

import "strings"

const (
	vendor = "ot"
	digits = 14 // hexadecimal, of 56 bits
)

// Parse returns the threshold and the randomness of a tracestate. A field that is
// not well formed is one that is not there.
func Parse(ts string) (th uint64, hasTh bool, rv uint64, hasRv bool) {
	if ts == "" {
		return 0, false, 0, false
	}
	_, _, value := entry(ts)
	for value != "" {
		var field string
		field, value, _ = strings.Cut(value, ";")
		key, text, _ := strings.Cut(field, ":")
		switch {
		case key == "th" && !hasTh:
			th, hasTh = hex(text)
			th <<= 4 * (digits - min(len(text), digits))
		case key == "rv" && !hasRv && len(text) == digits:
			rv, hasRv = hex(text)
		}
	}
	return th, hasTh, rv, hasRv
}

// entry returns where the first entry "ot" begins and ends, without the comma behind
// it, and its value. begin is -1 when there is none.
func entry(ts string) (begin, end int, value string) {
	for at := 0; at < len(ts); {
		n := strings.IndexByte(ts[at:], ',')
		if n < 0 {
			n = len(ts) - at
		}
		member := strings.Trim(ts[at:at+n], " \t")
		if rest, ok := strings.CutPrefix(member, vendor); ok && rest != "" && rest[0] == '=' {
			return at, at + n, rest[1:]
		}
		at += n + 1
	}
	return -1, -1, ""
}

// hex reads one to fourteen lower-case hexadecimal digits.
func hex(text string) (v uint64, ok bool) {
	if text == "" || len(text) > digits {
		return 0, false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
