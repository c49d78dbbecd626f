// SPDX-License-Identifier: Apache-2.0

package compile

import "slices"

// op is one step of a body: a test, which holds or not and may set a variable, or a
// generator, which runs the rest of the body for each of its members.
type op struct {
	test test
	each generator
}

type test interface{ holds(f *frame) bool }

type generator interface {
	run(f *frame, rest []op, s sink) (stop bool)
}

// sink takes a solution of a body, and says whether there is no need of another.
type sink interface{ take(f *frame) (stop bool) }

// exec looks for the solutions of a body.
func (f *frame) exec(ops []op, s sink) (stop bool) {
	for i := range ops {
		if o := &ops[i]; o.each != nil {
			return o.each.run(f, ops[i+1:], s)
		} else if !o.test.holds(f) {
			return false
		}
	}
	return s.take(f)
}

// first is the sink of bodies that need one solution.
type first struct{}

func (first) take(*frame) bool { return true }

// all is the sink of bodies that need one solution, but of which all are looked for:
// one of the others might be an error.
type all struct{}

func (all) take(f *frame) bool {
	f.stack = append(f.stack, Value{})
	return false
}

// some reports whether a body has a solution.
func (f *frame) some(ops []op, exhaust bool) bool {
	if !exhaust {
		return f.exec(ops, first{})
	}
	n := len(f.stack)
	f.exec(ops, all{})
	found := len(f.stack) > n
	f.stack = f.stack[:n]
	return found
}

// isTrue is an expression of one term.
type isTrue struct{ a operand }

func (o *isTrue) holds(f *frame) bool { return f.get(&o.a).isTrue() }

// isDefined is a variable that is set to a path of the input.
type isDefined struct{ a operand }

func (o *isDefined) holds(f *frame) bool { return f.get(&o.a).k != undefined }

// never is what cannot hold.
type never struct{}

func (never) holds(*frame) bool { return false }

// isEqual is a = b where both are known.
type isEqual struct{ a, b operand }

func (o *isEqual) holds(f *frame) bool {
	a := f.get(&o.a)
	return a.k != undefined && f.equal(a, f.get(&o.b))
}

// isText and areEqual are the two that policies ask most: a path against a text, and
// against another path.
type isText struct {
	slot int32
	text string
}

func (o *isText) holds(f *frame) bool {
	v := f.slot(o.slot)
	return v.k == text && v.n == uint64(len(o.text)) && v.string() == o.text
}

type areEqual struct{ a, b int32 }

func (o *areEqual) holds(f *frame) bool {
	a := f.slot(o.a)
	if a.k == undefined {
		return false
	}
	b := f.slot(o.b)
	if a.k == text && b.k == text {
		return a.n == b.n && a.string() == b.string()
	}
	return f.equal(a, b)
}

// hasAny holds when a member of what is at a path is in a set.
type hasAny struct {
	slot int32
	set  *Set
}

func (o *hasAny) holds(f *frame) bool {
	v := f.slot(o.slot)
	switch v.k {
	case slice:
		for _, x := range v.slice() {
			if s, ok := x.(string); ok {
				if o.set.hasText(s) {
					return true
				}
			} else if o.set.has(wrap(x)) {
				return true
			}
		}
		return false
	case strs:
		return slices.ContainsFunc(v.strings(), o.set.hasText)
	}
	return visit(f, v, false, func(_, item Value) bool { return o.set.has(item) })
}

// follow sets a variable to what a key leads to.
type follow struct {
	a, key operand
	to     int32
}

func (o *follow) holds(f *frame) bool {
	v := dot(f.get(&o.a), f.get(&o.key))
	if v.k == undefined {
		return false
	}
	f.set(o.to, v)
	return true
}

// lookUp sets a variable to what a key leads to in data. OPA reads that from its store,
// where keys are texts: what would have to be changed into one is OPA's to read.
type lookUp struct {
	a, key operand
	to     int32
}

func (o *lookUp) holds(f *frame) bool {
	v, key := f.get(&o.a), f.get(&o.key)
	if v.k.isObject() && key.k != text || v.k.isArray() && key.k != integer {
		unexpected("a key of data is neither a string of an object nor an integer of an array")
	}
	v = dot(v, key)
	if v.k == undefined {
		return false
	}
	f.set(o.to, v)
	return true
}

// isArray takes an array apart that has the length of a pattern.
type isArray struct {
	a operand
	n int
}

func (o *isArray) holds(f *frame) bool {
	v := f.get(&o.a)
	return v.k.isArray() && v.length() == o.n
}

// isObject takes an object apart that has as many keys as a pattern.
type isObject struct {
	a operand
	n int
}

func (o *isObject) holds(f *frame) bool {
	v := f.get(&o.a)
	return v.k.isObject() && v.length() == o.n
}

// not holds when a body has no solution.
type not struct {
	body    []op
	exhaust bool
}

func (o *not) holds(f *frame) bool { return !f.some(o.body, o.exhaust) }

// every holds when a body has a solution for each member.
type every struct {
	a          operand
	key, value int32
	body       []op
	exhaust    bool
}

func (o *every) holds(f *frame) bool {
	v := f.get(&o.a)
	if order := v.k.order(); order < (array).order() {
		return false
	}
	ok := true
	visit(f, v, false, func(key, item Value) bool {
		f.set(o.key, key)
		f.set(o.value, item)
		ok = f.some(o.body, o.exhaust) && ok
		return !ok && !o.exhaust
	})
	return ok
}

// iterate runs the rest for each member of a collection.
type iterate struct {
	a          operand
	key, value int32
	ordered    bool // the order of members shows in the result
}

func (o *iterate) run(f *frame, rest []op, s sink) bool {
	v := f.get(&o.a)
	switch v.k {
	case array, slice, strs: // by far the most, and without a closure
		for i := range v.length() {
			f.step()
			f.set(o.key, intValue(int64(i)))
			f.set(o.value, v.at(i))
			if f.exec(rest, s) {
				return true
			}
		}
		return false
	}
	return visit(f, v, o.ordered, func(key, item Value) bool {
		f.set(o.key, key)
		f.set(o.value, item)
		return f.exec(rest, s)
	})
}

// visit calls fn for each member of a collection until it says stop. Those of a Go
// map, or of a record, come in its own order unless the order matters.
func visit(f *frame, v Value, ordered bool, fn func(key, item Value) (stop bool)) bool {
	switch v.k {
	case array, slice, strs:
		for i := range v.length() {
			f.step()
			if fn(intValue(int64(i)), v.at(i)) {
				return true
			}
		}
		return false
	case set:
		for _, item := range v.set().items {
			f.step()
			if fn(item, item) {
				return true
			}
		}
		return false
	case dict:
		if !ordered {
			for k, x := range v.dict() {
				f.step()
				if fn(textValue(k), wrap(x)) {
					return true
				}
			}
			return false
		}
	case record:
		if r := v.record(); !ordered {
			for _, name := range r.Names() {
				f.step()
				if m := r.Member(name); m.k != undefined && fn(textValue(name), m) {
					return true
				}
			}
			return false
		}
	case object, request, entity, action:
	default:
		return false
	}
	o := v.asObject()
	for i, k := range o.keys {
		f.step()
		if fn(k, o.values[i]) {
			return true
		}
	}
	return false
}
