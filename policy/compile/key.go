// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"encoding/binary"
	"unsafe"
)

// Key tells inputs apart by some of their paths: two inputs have equal keys only if
// they agree in all of them.
type Key struct{ paths [][]name }

// name is one step of a path.
type name struct {
	text  string
	field field
}

// NewKey returns the key of paths of the input, each as the names that lead to it.
func NewKey(paths [][]string) *Key {
	k := &Key{}
	for _, path := range paths {
		names := make([]name, len(path))
		for i, text := range path {
			names[i] = name{text, fields[text]}
		}
		k.paths = append(k.paths, names)
	}
	return k
}

// Append appends an input's key. It is not ok when that is longer than the limit, or
// the input holds what has no key. It is safe for concurrent use.
func (k *Key) Append(dst []byte, in *Input, limit int) (key []byte, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(surprise); !is {
				panic(r)
			}
			key, ok = dst, false
		}
	}()
	for _, path := range k.paths {
		v := Value{k: request, p: unsafe.Pointer(in)}
		for i := range path {
			if v = v.step(&path[i]); v.k == undefined {
				break
			}
		}
		if dst = appendKey(dst, v, limit); len(dst) > limit {
			return dst, false
		}
	}
	return dst, true
}

// step follows a name.
func (v Value) step(n *name) Value {
	switch v.k {
	case request, entity, action:
		return v.member(n.field)
	case dict:
		if x, ok := v.dict()[n.text]; ok {
			return wrap(x)
		}
		return Value{}
	}
	return dot(v, textValue(n.text))
}

// appendKey writes a value with its type and its length, so that no two values, and no
// two lists of values, are written alike.
func appendKey(dst []byte, v Value, limit int) []byte {
	if len(dst) > limit {
		return dst
	}
	if v.k == text { // by far the most
		return append(binary.AppendUvarint(append(dst, 's'), v.n), v.string()...)
	}
	if n := v.length(); n > limit {
		return append(dst, make([]byte, limit+1)...) // before anything is sorted
	}
	switch {
	case v.k == boolean:
		return append(dst, 'b', byte(v.n))
	case v.k.isNumber():
		s := v.number() // 1 and 1.0 are equal, but policies can tell them apart
		return append(binary.AppendUvarint(append(dst, 'n'), uint64(len(s))), s...)
	case v.k.isArray():
		n := v.length()
		dst = binary.AppendUvarint(append(dst, 'a'), uint64(n)) //nolint:gosec // a length
		for i := range n {
			dst = appendKey(dst, v.at(i), limit)
		}
		return dst
	case v.k.isObject():
		o := v.asObject()
		dst = binary.AppendUvarint(append(dst, 'o'), uint64(len(o.keys)))
		for i, key := range o.keys {
			dst = appendKey(appendKey(dst, key, limit), o.values[i], limit)
		}
		return dst
	case v.k == null:
		return append(dst, '0')
	}
	return append(dst, 'u')
}
