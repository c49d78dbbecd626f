// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"
	"unsafe"
)

// Record is an object whose members are looked up when a policy asks for them: an input
// that is held in another form than JSON's, such as a span. Nothing of it is converted
// but what is asked for, and asking allocates nothing of its own.
//
// What the functions return must stay the same while an evaluation is under way.
type Record struct {
	// Member returns the value under a name; undefined, the zero Value, where there is
	// none.
	Member func(name string) Value

	// Names returns the names of all members, each once and in any order: for policies
	// that iterate or compare the record. A name without a value is no member. The slice
	// must stay as it is until the evaluation ends.
	Names func() []string
}

// Value returns the record as an object. The record must not change place or content
// while it is in use.
func (r *Record) Value() Value { return Value{k: record, p: unsafe.Pointer(r)} }

func (v Value) record() *Record { return (*Record)(v.p) }

func (r *Record) object() *Object {
	names := slices.Clone(r.Names())
	slices.Sort(names)
	var o Object
	for _, name := range names {
		if m := r.Member(name); m.k != undefined {
			o.keys, o.values = append(o.keys, textValue(name)), append(o.values, m)
		}
	}
	return &o
}

// Text returns a string. It, [Integer], [Float] and [Boolean] allocate nothing; numbers that
// are not finite leave the input to OPA.
func Text(s string) Value { return textValue(s) }

// Integer returns a number.
func Integer(i int64) Value { return intValue(i) }

// Float returns a number.
func Float(f float64) Value { return floatValue(f) }

// Boolean returns true or false.
func Boolean(b bool) Value { return boolValue(b) }

// Of returns what Go's decoders of JSON make. Other types leave the input to OPA.
func Of(x any) Value { return wrap(x) }
