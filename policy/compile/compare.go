// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"slices"
	"strings"
)

// equal reports whether two values are the same to Rego.
func equal(a, b Value) bool {
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
			if !equal(a.at(i), b.at(i)) {
				return false
			}
		}
		return true
	case set:
		return slices.EqualFunc(a.set().items, b.set().items, equal)
	}
	ao, bo := a.asObject(), b.asObject()
	return len(ao.keys) == len(bo.keys) && compareObjects(ao, bo) == 0
}

// compare orders any two values, as Rego's order does: null, booleans, numbers,
// strings, arrays, objects, sets.
func compare(a, b Value) int {
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
			if c := compare(a.at(i), b.at(i)); c != 0 {
				return c
			}
		}
		return cmp.Compare(an, bn)
	case set:
		return slices.CompareFunc(a.set().items, b.set().items, compare)
	}
	return compareObjects(a.asObject(), b.asObject())
}

func compareObjects(a, b *Object) int {
	for i := range min(len(a.keys), len(b.keys)) {
		if c := compare(a.keys[i], b.keys[i]); c != 0 {
			return c
		}
		if c := compare(a.values[i], b.values[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a.keys), len(b.keys))
}

// identical reports whether two values are the same down to how numbers are written:
// 1 and 1.0 are equal, but not identical.
func identical(a, b Value) bool {
	if !equal(a, b) {
		return false
	}
	switch {
	case a.k.isNumber():
		return a.number() == b.number()
	case a.k.isArray():
		for i := range a.length() {
			if !identical(a.at(i), b.at(i)) {
				return false
			}
		}
	case a.k.isObject():
		ao, bo := a.asObject(), b.asObject()
		return slices.EqualFunc(ao.keys, bo.keys, identical) && slices.EqualFunc(ao.values, bo.values, identical)
	case a.k == set:
		return slices.EqualFunc(a.set().items, b.set().items, identical)
	}
	return true
}

// sameEitherWay is for equal values of which one has to be taken: it is a surprise if
// it shows which.
func sameEitherWay(a, b Value) {
	if !identical(a, b) {
		unexpected("a number is written in two ways")
	}
}
