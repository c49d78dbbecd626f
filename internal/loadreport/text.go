// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"strconv"
	"strings"
)

// The HTTP headers of ORCA, in the form of [net/http.Header]'s keys. A client asks with
// RequestHeader: Format, and gets ResponseHeader: Format and the report.
const (
	RequestHeader  = "Endpoint-Load-Metrics-Format"
	ResponseHeader = "Endpoint-Load-Metrics"
	Format         = "TEXT"
)

// MaxText is how long a report in text form may be, in bytes.
const MaxText = 512

const (
	textPrefix  = Format + " "
	namedPrefix = "named_metrics."
)

// keys are the fields' names in text form.
var keys = func() (keys [unknown]string) {
	for f := range unknown {
		keys[f] = names[f]
		if f >= inFlight {
			keys[f] = namedPrefix + names[f]
		}
	}
	return keys
}()

// decimals of each field's text: nanoseconds of times, otherwise what is no noise.
var decimals = [unknown]int{cpuUtilization: 4, rpsFractional: 3, eps: 3, latencySeconds: 9, demandSeconds: 9, parallelism: 3}

// powers of ten that are exact as float64.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// AppendText appends the report in ORCA's native form for HTTP, "TEXT cpu_utilization=0.41,…".
// What is out of bounds is cut to them.
func (r Report) AppendText(b []byte) []byte {
	b = append(b, textPrefix...)
	first := true
	for f := range unknown {
		v, told := r.get(f)
		scaled := uint64(v*powers[decimals[f]] + 0.5)
		if !told || scaled == 0 && v > 0 { // what rounds to zero is not told either
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, keys[f]...)
		b = append(b, '=')
		b = appendDecimal(b, scaled, uint64(powers[decimals[f]]))
	}
	return b
}

// appendDecimal appends scaled/scale, without zeros at the end.
func appendDecimal(b []byte, scaled, scale uint64) []byte {
	b = strconv.AppendUint(b, scaled/scale, 10)
	rest := scaled % scale
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for ; rest > 0; rest %= scale {
		scale /= 10
		b = append(b, byte('0'+rest/scale))
	}
	return b
}

// ParseText reads a report from the value of a [ResponseHeader], or the body of a probe's
// answer. Fields that it does not know are left out. It returns a [*SyntaxError] or a
// [*ValueError] of what it refuses: as a whole, because who sends one absurd value cannot
// be trusted with the others.
//
// Envoy takes a colon for an equals sign too, and spaces after commas; so does this.
func ParseText(s string) (Report, error) {
	if len(s) > MaxText {
		return nothing, &SyntaxError{"a report of " + strconv.Itoa(len(s)) + " bytes exceeds " + strconv.Itoa(MaxText)}
	}
	rest, ok := strings.CutPrefix(s, textPrefix)
	if !ok {
		return nothing, &SyntaxError{`a report does not begin with "` + textPrefix + `"`}
	}
	r, seen := nothing, uint16(0)
	next := cpuUtilization // as AppendText would have it
	for rest != "" {
		entry := rest
		if i := strings.IndexByte(rest, ','); i >= 0 {
			entry, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		key, value, ok := cut(entry)
		if !ok {
			return nothing, &SyntaxError{"an entry of a report is not NAME=VALUE"}
		}
		f := next
		if f == unknown || key != keys[f] {
			if f = fieldOf(key); f == unknown {
				continue
			}
		}
		next = f + 1
		if seen&(1<<f) != 0 {
			return nothing, &SyntaxError{names[f] + " comes twice"}
		}
		seen |= 1 << f
		v, ok := parseDecimal(value)
		if !ok {
			return nothing, &SyntaxError{names[f] + " is not a number"}
		}
		if err := r.set(f, v); err != nil {
			return nothing, err
		}
	}
	return r, nil
}

// cut splits an entry into its name and its value.
func cut(entry string) (key, value string, ok bool) {
	for i := range len(entry) {
		if entry[i] == '=' || entry[i] == ':' {
			key, value = trim(entry[:i]), trim(entry[i+1:])
			return key, value, key != "" && value != ""
		}
	}
	return "", "", false
}

func trim(s string) string {
	for s != "" && s[0] == ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}

// fieldOf returns the field of a name in text form.
func fieldOf(key string) field {
	for f := range unknown {
		if keys[f] == key {
			return f
		}
	}
	return unknown
}

// parseDecimal reads a number. What has up to 15 digits and no exponent, as all that
// AppendText writes but the largest, is exact and fast: an integer of less than 2^53 by an
// exact power of ten.
func parseDecimal(s string) (float64, bool) {
	var mantissa uint64
	digits, point := 0, -1
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			mantissa = mantissa*10 + uint64(c-'0')
			digits++
		case c == '.' && point < 0:
			point = digits
		default:
			return parseFloat(s)
		}
	}
	switch {
	case digits == 0 || digits > 15:
		return parseFloat(s)
	case point < 0:
		return float64(mantissa), true
	}
	return float64(mantissa) / powers[digits-point], true
}

// parseFloat reads what is longer or has a sign or an exponent; not hexadecimal numbers.
func parseFloat(s string) (float64, bool) {
	if strings.ContainsAny(s, "xXpP_") {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}
