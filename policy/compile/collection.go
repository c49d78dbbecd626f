// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"maps"
	"slices"
)

// hashed is from how many members on a collection looks strings up by hash.
const hashed = 8

// Array is a list of values. It does not change once made.
type Array struct {
	items []Value
	set   *Set // of the items, for constants that are looked into
}

// Object maps keys to values. It does not change once made.
type Object struct {
	keys   []Value // in order
	values []Value
	byText map[string]int32 // of keys that are strings, when there are many
	fixed  bool             // it stands in the policy or its data
}

// Set holds values, each once. It does not change once made.
type Set struct {
	items  []Value // in order
	byText map[string]struct{}
}

// newSet sorts the items, which become the set's, and leaves out what is there twice.
func newSet(items []Value) *Set { return (*frame)(nil).newSet(items) }

// newSet counts what it takes to sort the items.
func (f *frame) newSet(items []Value) *Set {
	if len(items) == 1 {
		return &Set{items: items}
	}
	for i := range items { // which are compared several times each
		if items[i].k.isObject() {
			items[i] = objectValue(f.sorted(items[i]))
		}
	}
	slices.SortFunc(items, f.compare)
	s := &Set{items: slices.CompactFunc(items, func(a, b Value) bool {
		same := f.equal(a, b)
		if same {
			sameEitherWay(a, b)
		}
		return same
	})}
	if len(s.items) > hashed {
		s.byText = make(map[string]struct{}, len(s.items))
		for _, v := range s.items {
			if v.k == text {
				s.byText[v.string()] = struct{}{}
			}
		}
	}
	return s
}

func (s *Set) hasText(t string) bool {
	if s.byText != nil {
		_, ok := s.byText[t]
		return ok
	}
	for i := range s.items {
		if v := &s.items[i]; v.k == text && v.n == uint64(len(t)) && v.string() == t {
			return true
		}
	}
	return false
}

func (s *Set) has(v Value) bool {
	if v.k == text {
		return s.hasText(v.string())
	}
	if len(s.items) <= hashed {
		for _, item := range s.items {
			if equal(item, v) {
				return true
			}
		}
		return false
	}
	_, ok := slices.BinarySearchFunc(s.items, v, compare)
	return ok
}

// get returns a value if it is in the set.
func (s *Set) get(v Value) Value {
	if v.k == text || v.k == boolean || v.k == null {
		if s.has(v) {
			return v
		}
		return Value{}
	}
	if i, ok := slices.BinarySearchFunc(s.items, v, compare); ok {
		sameEitherWay(s.items[i], v)
		return v
	}
	return Value{}
}

// newObject sorts keys and values, which become the object's. Keys are not there
// twice.
func newObject(keys, values []Value) *Object { return (*frame)(nil).newObject(keys, values) }

// newObject counts what it takes to sort the keys.
func (f *frame) newObject(keys, values []Value) *Object {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return f.compare(keys[i], keys[j]) })
	o := &Object{keys: make([]Value, len(keys)), values: make([]Value, len(keys))}
	for to, from := range order {
		o.keys[to], o.values[to] = keys[from], values[from]
	}
	if len(keys) > hashed {
		o.byText = make(map[string]int32, len(keys))
		for i, k := range o.keys {
			if k.k == text {
				o.byText[k.string()] = int32(i) //nolint:gosec // fewer than there are bytes in a bundle
			}
		}
	}
	return o
}

func (o *Object) get(key Value) Value {
	if o.byText != nil && key.k == text {
		if i, ok := o.byText[key.string()]; ok {
			return o.values[i]
		}
		return Value{}
	}
	if len(o.keys) <= hashed {
		for i, k := range o.keys {
			if equal(k, key) {
				return o.values[i]
			}
		}
		return Value{}
	}
	if i, ok := slices.BinarySearchFunc(o.keys, key, compare); ok {
		return o.values[i]
	}
	return Value{}
}

// length returns how many members a collection has, and 0 for what is none.
func (v Value) length() int {
	switch v.k {
	case array:
		return len(v.array().items)
	case slice, strs:
		return int(v.n) //nolint:gosec // a length
	case object:
		return len(v.object().keys)
	case dict:
		return len(v.dict())
	case set:
		return len(v.set().items)
	case request, entity, action, record:
		return len(v.asObject().keys)
	}
	return 0
}

// at returns an item of an array.
func (v Value) at(i int) Value {
	switch v.k {
	case array:
		return v.array().items[i]
	case strs:
		return textValue(v.strings()[i])
	}
	return wrap(v.slice()[i])
}

// dot returns what a key leads to: an item, a value, or the key itself in a set that
// holds it; undefined where there is nothing.
func dot(v, key Value) Value {
	switch v.k {
	case dict:
		if key.k == text {
			if x, ok := v.dict()[key.string()]; ok {
				return wrap(x)
			}
		}
	case object:
		return v.object().get(key)
	case array, slice, strs:
		if i, ok := key.index(); ok && i >= 0 && i < v.length() {
			return v.at(i)
		}
	case set:
		return v.set().get(key)
	case request, entity, action:
		if key.k == text {
			return v.member(fields[key.string()])
		}
	case record:
		if key.k == text {
			return v.record().Member(key.string())
		}
	}
	return Value{}
}

// asObject returns an object of any form in the form that is sorted.
func (v Value) asObject() *Object {
	switch v.k {
	case object:
		return v.object()
	case dict:
		m := v.dict()
		names := slices.Sorted(maps.Keys(m))
		o := &Object{keys: make([]Value, len(names)), values: make([]Value, len(names))}
		for i, name := range names {
			o.keys[i], o.values[i] = textValue(name), wrap(m[name])
		}
		return o
	case record:
		return v.record().object()
	}
	var o Object
	for _, name := range memberNames[v.k] { // in order
		if m := v.member(fields[name]); m.k != undefined {
			o.keys, o.values = append(o.keys, textValue(name)), append(o.values, m)
		}
	}
	return &o
}

// contains counts what it looks at, in part: most items differ at a glance.
func (f *frame) contains(v, item Value) bool {
	if v.k != set {
		f.work(v.length() / 16)
	}
	return contains(v, item)
}

// contains is Rego's in: whether a collection has a value among its items, or an
// object among its values. It is false for what is no collection.
func contains(v, item Value) bool {
	switch v.k {
	case set:
		return v.set().has(item)
	case strs:
		if item.k != text {
			return false
		}
		return slices.Contains(v.strings(), item.string())
	case array:
		if s := v.array().set; s != nil {
			return s.has(item)
		}
		for _, x := range v.array().items {
			if equal(x, item) {
				return true
			}
		}
	case slice:
		for _, x := range v.slice() {
			if s, ok := x.(string); ok {
				if item.k == text && s == item.string() {
					return true
				}
				continue
			}
			if equal(wrap(x), item) {
				return true
			}
		}
	case dict:
		for _, x := range v.dict() {
			if equal(wrap(x), item) {
				return true
			}
		}
	case object:
		for _, x := range v.object().values {
			if equal(x, item) {
				return true
			}
		}
	case request, entity, action, record:
		return contains(objectValue(v.asObject()), item)
	}
	return false
}

// Pairs returns the members of an object with their keys, in order; ok is false for
// anything else.
func (v Value) Pairs() (keys, values []Value, ok bool) {
	if !v.k.isObject() {
		return nil, nil, false
	}
	o := v.asObject()
	return o.keys, o.values, true
}

// Member returns what is under a name in an object; undefined where there is nothing.
func (v Value) Member(name string) Value { return dot(v, textValue(name)) }

// IsConstant reports whether the value is an object that stands in the policy or its
// data: it holds nothing of an input, and may be kept.
func (v Value) IsConstant() bool { return v.k == object && v.object().fixed }

// Same reports whether two values are one constant object: equal without a look inside.
func (v Value) Same(other Value) bool { return v.IsConstant() && v == other }
