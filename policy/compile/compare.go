// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"slices"
	"strings"
)

// equal reports whether two values are the same to Rego.
func equal(a, b Value) bool { return (*frame)(nil).equal(a, b) }

// equal counts what it looks at within collections.
func (f *frame) equal(a, b Value) bool {
	if a.k == text && b.k == text {
		return a.n == b.n && a.string() == b.string()
	}
	if a.k.order() != b.k.order() {
		return false
	}
	switch a.k {
	case undefined, null:
		return true
	case boolean:
		return a.n == b.n
	case integer, decimal, written:
		return compareNumbers(a, b) == 0
	case array, slice, strs:
		n := a.length()
		if n != b.length() {
			return false
		}
		for i := range n {
			f.count(1)
			if !f.equal(a.at(i), b.at(i)) {
				return false
			}
		}
		return true
	case set:
		return slices.EqualFunc(a.set().items, b.set().items, func(a, b Value) bool {
			f.count(1)
			return f.equal(a, b)
		})
	}
	if a.length() != b.length() {
		return false
	}
	return f.compareObjects(a, b) == 0
}

// compare orders any two values, as Rego's order does: null, booleans, numbers,
// strings, arrays, objects, sets.
func compare(a, b Value) int { return (*frame)(nil).compare(a, b) }

// compare counts what it looks at within collections.
func (f *frame) compare(a, b Value) int {
	if a.k == text && b.k == text {
		return strings.Compare(a.string(), b.string())
	}
	if c := cmp.Compare(a.k.order(), b.k.order()); c != 0 {
		return c
	}
	switch a.k {
	case undefined, null:
		return 0
	case boolean:
		return cmp.Compare(a.n, b.n)
	case integer, decimal, written:
		return compareNumbers(a, b)
	case array, slice, strs:
		an, bn := a.length(), b.length()
		for i := range min(an, bn) {
			f.count(1)
			if c := f.compare(a.at(i), b.at(i)); c != 0 {
				return c
			}
		}
		return cmp.Compare(an, bn)
	case set:
		return slices.CompareFunc(a.set().items, b.set().items, func(a, b Value) int {
			f.count(1)
			return f.compare(a, b)
		})
	}
	return f.compareObjects(a, b)
}

func (f *frame) compareObjects(av, bv Value) int {
	a, b := f.sorted(av), f.sorted(bv)
	for i := range min(len(a.keys), len(b.keys)) {
		f.count(1)
		if c := f.compare(a.keys[i], b.keys[i]); c != 0 {
			return c
		}
		if c := f.compare(a.values[i], b.values[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a.keys), len(b.keys))
}

// sorted is [Value.asObject], counted where there is something to sort.
func (f *frame) sorted(v Value) *Object {
	if v.k != object {
		f.count(v.length())
	}
	return v.asObject()
}

// count counts n members that are looked at; a nil frame does not.
func (f *frame) count(n int) {
	if f != nil {
		f.work(n)
	}
}

// identical reports whether two values are the same down to how numbers are written:
// 1 and 1.0 are equal, but not identical.
func identical(a, b Value) bool {
	switch {
	case a.k.order() != b.k.order():
		return false
	case a.k.isNumber():
		return a.number() == b.number()
	case a.k.isArray():
		if a.length() != b.length() {
			return false
		}
		for i := range a.length() {
			if !identical(a.at(i), b.at(i)) {
				return false
			}
		}
		return true
	case a.k.isObject():
		ao, bo := a.asObject(), b.asObject()
		return slices.EqualFunc(ao.keys, bo.keys, identical) && slices.EqualFunc(ao.values, bo.values, identical)
	case a.k == set:
		return slices.EqualFunc(a.set().items, b.set().items, identical)
	}
	return equal(a, b)
}

// sameEitherWay is for equal values of which one has to be taken: it is a surprise if
// it shows which.
func sameEitherWay(a, b Value) {
	if !identical(a, b) {
		unexpected("a number is written in two ways")
	}
}
