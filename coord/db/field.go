// SPDX-License-Identifier: Apache-2.0

package db

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// Type is the type of a field.
type Type uint8

// The types of fields.
const (
	TypeString Type = iota + 1
	TypeInt
	TypeFloat
	TypeBool
	TypeTime
)

var typeNames = [...]string{TypeString: "string", TypeInt: "int", TypeFloat: "float", TypeBool: "bool", TypeTime: "time"}

func (t Type) known() bool { return t >= TypeString && t <= TypeTime }

// String returns the type's name: "string", "int", "float", "bool" or "time".
func (t Type) String() string {
	if t.known() {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Field is what a collection is searched by.
type Field struct {
	Name string
	Type Type
}

// String declares a field of strings: UTF-8 of at most 1 KiB, compared byte by
// byte.
func String(name string) Field { return Field{name, TypeString} }

// Int declares a field of 64-bit integers.
func Int(name string) Field { return Field{name, TypeInt} }

// Float declares a field of 64-bit floating point numbers, all but NaN and the
// infinities.
func Float(name string) Field { return Field{name, TypeFloat} }

// Bool declares a field of booleans. They are compared for equality; in an order
// false comes before true.
func Bool(name string) Field { return Field{name, TypeBool} }

// Time declares a field of times of the years 1 to 9999, which are kept to the
// microsecond, in UTC.
func Time(name string) Field { return Field{name, TypeTime} }

// idField is the field that every record has.
const idField = "id"

// canonical returns the value as the type keeps it: string, int64, float64, bool
// or time.Time.
func (t Type) canonical(v any) (any, *InputError) {
	if at, ok := v.(time.Time); ok && t == TypeTime {
		at = at.UTC().Truncate(time.Microsecond)
		if at.Year() < 1 || at.Year() > 9999 {
			return nil, &InputError{Reason: "is a time outside of the years 1 to 9999"}
		}
		return at, nil
	}
	switch r := reflect.ValueOf(v); {
	case t == TypeString && r.Kind() == reflect.String:
		return canonicalString(r.String())
	case t == TypeBool && r.Kind() == reflect.Bool:
		return r.Bool(), nil
	case t == TypeInt && r.CanInt():
		return r.Int(), nil
	case t == TypeInt && r.CanUint() && r.Uint() <= math.MaxInt64:
		return int64(r.Uint()), nil
	case t == TypeFloat && r.CanFloat():
		return canonicalFloat(r.Float())
	case t == TypeFloat && r.CanInt() && max(r.Int(), -r.Int()) <= 1<<53 && r.Int() != math.MinInt64:
		return float64(r.Int()), nil
	case t == TypeFloat && r.CanUint() && r.Uint() <= 1<<53:
		return float64(r.Uint()), nil
	case r.CanInt() || r.CanUint():
		return nil, &InputError{Reason: fmt.Sprintf("is a %T that is not exactly a %v", v, t)}
	}
	return nil, &InputError{Reason: fmt.Sprintf("is a %T, not a %v", v, t)}
}

func canonicalString(s string) (any, *InputError) {
	switch {
	case len(s) > MaxString:
		return nil, tooLong("", "", len(s), MaxString)
	case !utf8.ValidString(s):
		return nil, &InputError{Reason: "is not UTF-8"}
	case strings.ContainsRune(s, 0):
		return nil, &InputError{Reason: "holds a zero byte"}
	}
	return s, nil
}

func canonicalFloat(f float64) (any, *InputError) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, &InputError{Reason: "is not a finite number"}
	}
	return f + 0, nil // -0 becomes 0: the two are equal and must be one value
}

// compare orders two canonical values of one type.
func compare(a, b any) int {
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case time.Time:
		return a.Compare(b.(time.Time))
	}
	switch {
	case a == b:
		return 0
	case b.(bool): // false comes first
		return -1
	}
	return 1
}
