// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"encoding/binary"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The encodings below keep values of different types, and neighbours, apart: two
// inputs with one key would get one verdict. Maps in another order get another
// key, which costs an evaluation and nothing else.

const absent = 0xff // no ValueType

func appendText(key []byte, s string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(s))), s...)
}

func appendInt(key []byte, n int64) []byte { return binary.BigEndian.AppendUint64(key, uint64(n)) }

func appendValue(key []byte, v pcommon.Value) []byte {
	key = append(key, byte(v.Type()))
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendText(key, v.Str())
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return append(key, 1)
		}
		return append(key, 0)
	case pcommon.ValueTypeInt:
		return appendInt(key, v.Int())
	case pcommon.ValueTypeDouble:
		return binary.BigEndian.AppendUint64(key, math.Float64bits(v.Double()))
	case pcommon.ValueTypeBytes:
		return appendText(key, string(v.Bytes().AsRaw()))
	case pcommon.ValueTypeMap:
		return appendMap(key, v.Map())
	case pcommon.ValueTypeSlice:
		key = appendInt(key, int64(v.Slice().Len()))
		for _, e := range v.Slice().All() {
			key = appendValue(key, e)
		}
	}
	return key
}

func appendMap(key []byte, m pcommon.Map) []byte {
	key = appendInt(key, int64(m.Len()))
	for k, v := range m.All() {
		key = appendValue(appendText(key, k), v)
	}
	return key
}

// appendAttributes appends the attributes with these keys, all when keys is nil.
func appendAttributes(key []byte, m pcommon.Map, part attributesPart) []byte {
	if part.all {
		return appendMap(key, m)
	}
	for _, k := range part.keys {
		if v, ok := m.Get(k); ok {
			key = appendValue(key, v)
		} else {
			key = append(key, absent)
		}
	}
	return key
}
