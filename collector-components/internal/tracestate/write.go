// SPDX-License-Identifier: Apache-2.0

package tracestate

import "strings"

const (
	maxValue   = 256 // characters of an entry's value, as W3C bounds it
	maxMembers = 32  // entries of a tracestate
)

// WithThreshold returns the tracestate with the threshold written into its entry
// "ot", which comes first, as W3C asks of an entry that was changed. Everything else
// stays as it is, but for what no longer fits: fields of "ot" beyond 256 characters,
// other than th and rv, and entries beyond 32, from the end. A tracestate that says
// so already is returned as it is, and so is every one for a threshold that cannot
// be written, Never and above.
func WithThreshold(ts string, th uint64) string {
	if th >= Never {
		return ts
	}
	if had, ok, _, _ := Parse(ts); ok && had == th {
		return ts
	}
	begin, end, value := entry(ts)
	var b strings.Builder
	b.Grow(len(ts) + len("ot=th:,") + digits + 1)
	b.WriteString("ot=")
	fields(&b, value, th)
	members := 1
	for at := 0; at < len(ts); {
		n := strings.IndexByte(ts[at:], ',')
		if n < 0 {
			n = len(ts) - at
		}
		member := strings.Trim(ts[at:at+n], " \t")
		ours := at == begin && at+n == end
		if member != "" && !ours && members < maxMembers {
			b.WriteByte(',')
			b.WriteString(member)
			members++
		}
		at += n + 1
	}
	return b.String()
}

// fields writes the value of "ot": th, then rv, then what else there was.
func fields(b *strings.Builder, value string, th uint64) {
	begin := b.Len()
	b.WriteString("th:")
	writeHex(b, th)
	write := func(isRandomness bool) {
		for rest := value; rest != ""; {
			var field string
			field, rest, _ = strings.Cut(rest, ";")
			key, _, _ := strings.Cut(field, ":")
			if field == "" || key == "th" || (key == "rv") != isRandomness || b.Len()-begin+1+len(field) > maxValue {
				continue
			}
			b.WriteByte(';')
			b.WriteString(field)
		}
	}
	write(true)
	write(false)
}

// writeHex writes 56 bits without the zeros at their end, and one zero for zero.
func writeHex(b *strings.Builder, v uint64) {
	for first := true; first || v != 0; first = false {
		b.WriteByte("0123456789abcdef"[v>>52&0xf])
		v = v << 4 & (Never - 1)
	}
}
