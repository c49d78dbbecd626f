// SPDX-License-Identifier: Apache-2.0

package compile

import "slices"

// member is the sink of a collection: it takes a value, or a key and a value.
type member struct {
	key, value *operand // key is nil but for objects
}

func (m member) take(f *frame) bool {
	if m.key != nil {
		f.stack = append(f.stack, f.get(m.key))
	}
	f.stack = append(f.stack, f.get(m.value))
	return false
}

// makeArray, makeObject and makeSet set a variable to a collection of what they read.
type makeArray struct {
	items []operand
	to    int32
}

func (o *makeArray) holds(f *frame) bool {
	a := &Array{items: make([]Value, len(o.items))}
	for i := range o.items {
		a.items[i] = f.get(&o.items[i])
	}
	f.set(o.to, arrayValue(a))
	return true
}

type makeObject struct {
	keys, values []operand
	to           int32
}

func (o *makeObject) holds(f *frame) bool {
	keys, values := make([]Value, len(o.keys)), make([]Value, len(o.keys))
	for i := range o.keys {
		keys[i], values[i] = f.get(&o.keys[i]), f.get(&o.values[i])
		for _, k := range keys[:i] {
			if f.equal(k, keys[i]) {
				unexpected("an object is made with a key twice")
			}
		}
	}
	f.set(o.to, objectValue(f.newObject(keys, values)))
	return true
}

type makeSet struct {
	items []operand
	to    int32
}

func (o *makeSet) holds(f *frame) bool {
	items := make([]Value, len(o.items))
	for i := range o.items {
		items[i] = f.get(&o.items[i])
	}
	f.set(o.to, setValue(f.newSet(items)))
	return true
}

// collect is a comprehension: it sets a variable to the collection of a body's
// solutions.
type collect struct {
	what kind // array, object or set
	body []op
	sink member
	to   int32
}

func (o *collect) holds(f *frame) bool {
	f.set(o.to, f.collect(o.what, func() { f.exec(o.body, o.sink) }))
	return true
}

// collect makes a collection of what fn puts on the stack.
func (f *frame) collect(what kind, fn func()) Value {
	n := len(f.stack)
	fn()
	items := f.stack[n:]
	var v Value
	switch what {
	case array:
		v = arrayValue(&Array{items: slices.Clone(items)})
	case set:
		if len(items) == 0 {
			v = setValue(&noItems)
		} else {
			v = setValue(f.newSet(slices.Clone(items)))
		}
	default:
		v = objectValue(f.pairs(items))
	}
	clear(items)
	f.stack = f.stack[:n]
	return v
}

var noItems Set

// pairs makes an object of keys and values in turn. A key with two values is a
// conflict, which is OPA's to tell.
func (f *frame) pairs(items []Value) *Object {
	byKey := make([][2]Value, 0, len(items)/2)
	for i := 0; i < len(items); i += 2 {
		byKey = append(byKey, [2]Value{items[i], items[i+1]})
	}
	slices.SortStableFunc(byKey, func(a, b [2]Value) int { return f.compare(a[0], b[0]) })
	keys, values := make([]Value, 0, len(byKey)), make([]Value, 0, len(byKey))
	for _, p := range byKey {
		if n := len(keys); n > 0 && f.equal(keys[n-1], p[0]) {
			if !f.equal(values[n-1], p[1]) {
				unexpected("a key has two values")
			}
			sameEitherWay(keys[n-1], p[0])
			sameEitherWay(values[n-1], p[1])
			continue
		}
		keys, values = append(keys, p[0]), append(values, p[1])
	}
	return f.newObject(keys, values)
}
