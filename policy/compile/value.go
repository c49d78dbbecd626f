// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unsafe"
)

// kind tells what a [Value] is and what its two words mean.
type kind uint8

const (
	undefined kind = iota // the zero Value: no value at all
	null
	boolean // n is 0 or 1
	integer // n is an int64
	decimal // n are the bits of a finite float64, whose text is the shortest that means it
	written // a number as it was written: p and n are the text, finite in float64
	text    // p and n are a string

	array   // p is *Array
	slice   // p and n are a []any
	strs    // p and n are a []string
	object  // p is *Object
	dict    // p is a map[string]any
	request // p is *Input
	entity  // p is *Entity
	action  // p is *Action
	record  // p is *Record
	set     // p is *Set
)

// Value is a value of Rego in 24 bytes. Scalars, and what Go's decoders of JSON make,
// are taken as they are: making a Value of them copies and allocates nothing, and the
// Value keeps them alive. The zero Value is undefined.
//
// What is behind a Value must not change while it is in use.
type Value struct {
	p unsafe.Pointer
	n uint64
	k kind
}

// surprise ends an evaluation that the lowered program cannot finish exactly: OPA
// answers instead. It travels as a panic, because it comes up deep inside comparisons,
// and it is rare.
type surprise struct{ reason string }

func (s surprise) Error() string { return s.reason }

func unexpected(format string, args ...any) {
	panic(surprise{fmt.Sprintf(format, args...)})
}

func boolValue(b bool) Value {
	if b {
		return Value{k: boolean, n: 1}
	}
	return Value{k: boolean}
}

func intValue(i int64) Value { return Value{k: integer, n: uint64(i)} } //nolint:gosec // bits

func textValue(s string) Value {
	return Value{k: text, p: unsafe.Pointer(unsafe.StringData(s)), n: uint64(len(s))}
}

func arrayValue(a *Array) Value   { return Value{k: array, p: unsafe.Pointer(a)} }
func objectValue(o *Object) Value { return Value{k: object, p: unsafe.Pointer(o)} }
func setValue(s *Set) Value       { return Value{k: set, p: unsafe.Pointer(s)} }

func stringsValue(s []string) Value {
	return Value{k: strs, p: unsafe.Pointer(unsafe.SliceData(s)), n: uint64(len(s))}
}

func sliceValue(s []any) Value {
	return Value{k: slice, p: unsafe.Pointer(unsafe.SliceData(s)), n: uint64(len(s))}
}

// A map is one pointer, to what the runtime keeps it in.
func dictValue(m map[string]any) Value {
	return Value{k: dict, p: *(*unsafe.Pointer)(unsafe.Pointer(&m))}
}

func (v Value) bool() bool        { return v.n != 0 }
func (v Value) int() int64        { return int64(v.n) } //nolint:gosec // bits
func (v Value) float() float64    { return math.Float64frombits(v.n) }
func (v Value) string() string    { return unsafe.String((*byte)(v.p), int(v.n)) } //nolint:gosec // a length
func (v Value) array() *Array     { return (*Array)(v.p) }
func (v Value) object() *Object   { return (*Object)(v.p) }
func (v Value) set() *Set         { return (*Set)(v.p) }
func (v Value) strings() []string { return unsafe.Slice((*string)(v.p), int(v.n)) } //nolint:gosec // a length
func (v Value) slice() []any      { return unsafe.Slice((*any)(v.p), int(v.n)) }    //nolint:gosec // a length
func (v Value) dict() map[string]any {
	return *(*map[string]any)(unsafe.Pointer(&v.p))
}

// isTrue reports whether an expression that has the value holds: any value does but
// false, and undefined.
func (v Value) isTrue() bool { return v.k != undefined && (v.k != boolean || v.n != 0) }

// IsDefined reports whether there is a value.
func (v Value) IsDefined() bool { return v.k != undefined }

// Bool returns the value if it is a boolean.
func (v Value) Bool() (value, ok bool) { return v.n != 0, v.k == boolean }

// Text returns the value if it is a string.
func (v Value) Text() (value string, ok bool) {
	if v.k != text {
		return "", false
	}
	return v.string(), true
}

// wrap makes a Value of what Go's decoders of JSON make, of Go's integers, and of what
// policies are asked about. Other types are a surprise: OPA takes them through JSON.
func wrap(x any) Value {
	switch x := x.(type) {
	case string:
		return textValue(x)
	case bool:
		return boolValue(x)
	case nil:
		return Value{k: null}
	case float64:
		return floatValue(x)
	case int:
		return intValue(int64(x))
	case int64:
		return intValue(x)
	case map[string]any:
		return dictValue(x)
	case []any:
		return sliceValue(x)
	case []string:
		return stringsValue(x)
	case json.Number:
		return numberValue(string(x))
	case int32:
		return intValue(int64(x))
	case uint32:
		return intValue(int64(x))
	case uint64:
		if x <= math.MaxInt64 {
			return intValue(int64(x))
		}
		return numberValue(strconv.FormatUint(x, 10))
	case uint:
		return wrap(uint64(x))
	case map[string]string:
		o := make(map[string]any, len(x))
		for k, v := range x {
			o[k] = v
		}
		return dictValue(o)
	case Value:
		return x
	}
	unexpected("the input holds a value of type %T", x)
	return Value{}
}

// order is where a kind stands in Rego's order of all values; kinds that are the same
// to Rego share a place.
func (k kind) order() int {
	switch k {
	case null:
		return 1
	case boolean:
		return 2
	case integer, decimal, written:
		return 3
	case text:
		return 4
	case array, slice, strs:
		return 5
	case object, dict, request, entity, action, record:
		return 6
	case set:
		return 7
	}
	return 0
}

func (k kind) isNumber() bool { return k == integer || k == decimal || k == written }

func (k kind) isArray() bool { return k == array || k == slice || k == strs }

func (k kind) isObject() bool { return k >= object && k <= record }

// IsEmptySet reports whether the value is a set without members, or undefined.
func (v Value) IsEmptySet() bool { return v.k == undefined || v.k == set && len(v.set().items) == 0 }
