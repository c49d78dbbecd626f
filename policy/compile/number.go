// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// Numbers of Rego are decimal texts of any size, and equal when they mean the same:
// 1, 1.0 and 1e0. Two forms are compared fast and exactly: what fits an int64, and
// decimals of at most exactDigits digits, which differ in float64 whenever they differ.
// Everything else is compared as OPA compares it.

// exactDigits is how many significant digits a float64 keeps of any decimal (DBL_DIG).
const exactDigits = 15

// exactInt bounds the integers that a float64 holds exactly.
const exactInt = 1 << 53

func floatValue(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		unexpected("the input holds a number that is not finite")
	}
	if f == 0 && math.Signbit(f) {
		return numberValue("-0")
	}
	return Value{k: decimal, n: math.Float64bits(f)}
}

// numberValue makes a Value of a number's text.
func numberValue(s string) Value {
	if i, ok := canonical(s); ok {
		return intValue(i)
	}
	// A number that is not finite in float64 is hashed by its text in OPA's index and
	// sets, but compared by what it means.
	if f, err := strconv.ParseFloat(s, 64); err != nil || math.IsInf(f, 0) {
		unexpected("a number is not finite in float64")
	}
	v := textValue(s)
	v.k = written
	return v
}

// canonical reads an integer that is written as strconv would write it.
func canonical(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 19 {
		return 0, false
	}
	digits := s
	if s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(s) > 1 {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(i, 10) == s {
			return i, true
		}
		return 0, false
	}
	var i int64
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		i = i*10 + int64(c-'0')
	}
	if s[0] == '-' {
		i = -i
	}
	return i, true
}

// number returns a number's text.
func (v Value) number() string {
	switch v.k {
	case integer:
		return strconv.FormatInt(v.int(), 10)
	case decimal:
		return strconv.FormatFloat(v.float(), 'g', -1, 64)
	}
	return v.string()
}

// exact returns what a number means, as an int64 or as a float64 that stands for one
// decimal only; neither when it is neither.
func (v Value) exact() (i int64, f float64, isInt, isFloat bool) {
	switch v.k {
	case integer:
		return v.int(), 0, true, false
	case decimal:
		f = v.float()
		if f == math.Trunc(f) && math.Abs(f) < exactInt {
			return int64(f), 0, true, false
		}
	case written:
		s := v.string()
		if i, ok := util.Atoi64(s); ok { // 7, and 7.0 too
			return i, 0, true, false
		}
		f, _ = strconv.ParseFloat(s, 64) // it parsed before
		if f != 0 && short(s) && f == math.Trunc(f) && math.Abs(f) < exactInt {
			return int64(f), 0, true, false // 1e3
		}
	}
	// Near the ends of its range a float64 keeps fewer digits.
	if a := math.Abs(f); a < 1e-290 || a > 1e290 || !short(v.number()) {
		return 0, 0, false, false
	}
	return 0, f, false, true
}

// short reports whether a number's text has at most exactDigits significant digits.
func short(s string) bool {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		s = s[:i]
	}
	digits := 0
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' && (digits > 0 || c != '0') {
			digits++
		}
	}
	return digits <= exactDigits
}

// compareNumbers orders two numbers by what they mean.
func compareNumbers(a, b Value) int {
	if a.k == integer && b.k == integer {
		return cmp.Compare(a.int(), b.int())
	}
	ai, af, aInt, aFloat := a.exact()
	bi, bf, bInt, bFloat := b.exact()
	switch {
	case aInt && bInt:
		return cmp.Compare(ai, bi)
	case aFloat && bFloat:
		return cmp.Compare(af, bf)
	case aInt && bFloat && ai > -exactInt && ai < exactInt:
		return cmp.Compare(float64(ai), bf)
	case aFloat && bInt && bi > -exactInt && bi < exactInt:
		return cmp.Compare(af, float64(bi))
	}
	return ast.NumberCompare(ast.Number(a.number()), ast.Number(b.number()))
}

// index returns the position in an array that a number means to Rego.
func (v Value) index() (int, bool) {
	switch v.k {
	case integer:
		return int(v.int()), true
	case decimal, written:
		i, ok := util.Atoi64(v.number())
		return int(i), ok
	}
	return 0, false
}
