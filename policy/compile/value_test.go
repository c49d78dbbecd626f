// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestAValueHas24Bytes(t *testing.T) {
	if n := unsafe.Sizeof(Value{}); n != 24 {
		t.Errorf("it has %d", n)
	}
}

// texts of numbers that are easy to get wrong.
var numbers = []string{
	"0", "-0", "0.0", "1", "1.0", "1e0", "10e-1", "0.1", "0.10", "1e-1", "-1", "-1.5", "9007199254740991", "9007199254740992", "9007199254740993",
	"9007199254740993.0", "9007199254740992.5", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"1e18", "1000000000000000000", "1e19", "10000000000000000000", "1e21", "123456789012345", "1234567890123456", "0.123456789012345", "0.1234567890123456",
	"1e300", "1e-300", "1e-400", "3.0000000000000000000001", "3", "1.00000000000000000000", "1e15", "1e16", "99999999999999.9", "1000000", "1e6",
}

func TestNumbersAreInOPAsOrder(t *testing.T) {
	values := make(map[string][]Value)
	for _, s := range numbers {
		values[s] = append(values[s], numberValue(s))
	}
	for _, f := range []float64{0, 0.1, 1, 1e6, 1e16, 1e21, -1.5, 9007199254740993, 123456.789} {
		s := strconv.FormatFloat(f, 'g', -1, 64)
		values[s] = append(values[s], floatValue(f))
	}
	for x, xs := range values {
		for y, ys := range values {
			want := ast.NumberCompare(ast.Number(x), ast.Number(y))
			for _, a := range xs {
				for _, b := range ys {
					if got := compareNumbers(a, b); got != want {
						t.Errorf("%s against %s: %d, OPA says %d", x, y, got, want)
					}
				}
			}
		}
	}
}

func TestAnIndexOfAnArrayIsWhatOPATakes(t *testing.T) {
	array := ast.MustParseTerm(`["a", "b", "c"]`).Value.(*ast.Array)
	ours := fromAST(array)
	for _, s := range append(numbers, "2", "2.0", "2e0", "1.5") {
		want := array.Get(ast.NumberTerm(json.Number(s)))
		got := dot(ours, numberValue(s))
		if (want == nil) != (got.k == undefined) || want != nil && string(want.Value.(ast.String)) != got.string() {
			t.Errorf("[%s] is %v, OPA says %v", s, toAST(got), want)
		}
	}
	for f := range 3 {
		if got := dot(ours, floatValue(float64(f))); got.k != text {
			t.Errorf("[%d.0] is undefined", f)
		}
	}
}

// any values of all types are in OPA's order, and equal when it says so.
func TestValuesAreInOPAsOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var build func(depth int) any
	build = func(depth int) any {
		switch n := rnd.IntN(10); {
		case n == 0:
			return nil
		case n == 1:
			return rnd.IntN(2) == 0
		case n < 4:
			return json.Number(numbers[rnd.IntN(len(numbers))])
		case n < 6 || depth == 0:
			return []string{"", "a", "b", "é", "日本"}[rnd.IntN(5)]
		case n < 8:
			list := make([]any, rnd.IntN(4))
			for i := range list {
				list[i] = build(depth - 1)
			}
			return list
		}
		m := make(map[string]any)
		for range rnd.IntN(4) {
			m[string(rune('a'+rnd.IntN(4)))] = build(depth - 1)
		}
		return m
	}
	for range 20_000 {
		x, y := build(3), build(3)
		ox, oy := ast.MustInterfaceToValue(x), ast.MustInterfaceToValue(y)
		for _, form := range []func(any, ast.Value) Value{
			func(x any, _ ast.Value) Value { return wrap(x) },
			func(_ any, o ast.Value) Value { return fromAST(o) },
			func(x any, _ ast.Value) Value { return constant(x) },
		} {
			a, b := form(x, ox), wrap(y)
			want := cmp.Compare(ast.Compare(ox, oy), 0)
			if got := cmp.Compare(compare(a, b), 0); got != want || equal(a, b) != (want == 0) {
				t.Fatalf("%v against %v: %d and %v, OPA says %d", ox, oy, got, equal(a, b), want)
			}
			if back := toAST(a); ast.Compare(back, ox) != 0 || back.String() != ox.String() {
				t.Fatalf("%v came back as %v", ox, back)
			}
		}
	}
}
