// SPDX-License-Identifier: Apache-2.0

package check

import (
	"slices"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/registry"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxElements bounds how many elements of an array are looked at: they come from
// one instrument, which makes them alike.
const maxElements = 64

// plain returns the type of a value that fits for sure.
func plain(d *registry.AttributeDef) pcommon.ValueType {
	if d.Array {
		return pcommon.ValueTypeEmpty
	}
	switch d.Base {
	case registry.String:
		return pcommon.ValueTypeStr
	case registry.Int:
		return pcommon.ValueTypeInt
	case registry.Double:
		return pcommon.ValueTypeDouble
	case registry.Boolean:
		return pcommon.ValueTypeBool
	}
	return pcommon.ValueTypeEmpty
}

// fits reports whether a value has the attribute's type. An empty value, and an
// empty array, have no type. A whole number will do for a double.
func (a *attribute) fits(v pcommon.Value) bool {
	t := v.Type()
	if t == pcommon.ValueTypeEmpty {
		return true
	}
	if !a.def.Array {
		return is(a.def.Base, t)
	}
	if t != pcommon.ValueTypeSlice {
		return false
	}
	s := v.Slice()
	for i := range min(s.Len(), maxElements) {
		if t := s.At(i).Type(); t != pcommon.ValueTypeEmpty && !is(a.def.Base, t) {
			return false
		}
	}
	return true
}

func is(b registry.Base, t pcommon.ValueType) bool {
	switch b {
	case registry.String:
		return t == pcommon.ValueTypeStr
	case registry.Int:
		return t == pcommon.ValueTypeInt
	case registry.Double:
		return t == pcommon.ValueTypeDouble || t == pcommon.ValueTypeInt
	case registry.Boolean:
		return t == pcommon.ValueTypeBool
	}
	return true
}

// member reports whether a value of the attribute's type is one of its members.
// Members are few, and of different lengths: to compare with one after the other
// is faster than to hash.
func (a *attribute) member(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		text := v.Str()
		for _, m := range a.def.Texts {
			if m == text {
				return true
			}
		}
		return false
	case pcommon.ValueTypeInt:
		return slices.Contains(a.def.Numbers, v.Int())
	}
	return true
}
