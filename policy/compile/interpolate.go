// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxInterpolated bounds the text that an interpolation makes, in bytes. What makes longer
// ones, for instance of each other, is OPA's to evaluate.
const maxInterpolated = 1 << 20

// unknown is what an interpolated string says of a part that is undefined.
const unknown = "<undefined>"

// interpolate lowers a string with expressions in it, $"{user} may not". OPA's compiler
// made a call of it, of an array of the texts and, for each expression, of a set: of its
// value, or of none. Policies can make such calls themselves.
func (s *body) interpolate(terms []*ast.Term) {
	list, ok := terms[0].Value.(*ast.Array)
	if !ok {
		s.l.unsupported("an interpolated string that is not made of parts")
	}
	o := &interpolation{parts: make([]operand, list.Len())}
	for i := range o.parts {
		o.parts[i] = s.item(list.Elem(i))
		// Other collections, and sets of several members, are errors.
		s.facts.raises = s.facts.raises || !s.single(o.parts[i])
	}
	o.to = s.reg(textKinds)
	s.add(o)
	s.take(terms[1:], reg(o.to))
}

// single reports whether a value is a scalar, or a set of one member at most.
func (s *body) single(o operand) bool {
	switch o.where {
	case inConst:
		return o.value.k.order() < array.order() || o.value.k == set && o.value.length() <= 1
	case inSlot:
		return false
	}
	for i := range s.ops {
		switch t := s.ops[i].test.(type) {
		case *makeSet:
			if t.to == o.i {
				return len(t.items) == 1
			}
		case *collect:
			if t.to == o.i {
				return t.what == set && !slices.ContainsFunc(t.body, func(o op) bool { return o.each != nil })
			}
		}
	}
	return false
}

// interpolation sets a variable to an interpolated string.
type interpolation struct {
	parts []operand
	to    int32
}

func (o *interpolation) holds(f *frame) bool {
	var room [128]byte
	b := room[:0]
	for i := range o.parts {
		f.step()
		v := f.get(&o.parts[i])
		switch {
		case v.k == set:
			switch items := v.set().items; len(items) {
			case 0:
				b = append(b, unknown...)
				continue
			case 1:
				v = items[0]
			default:
				unexpected("a part of an interpolated string has several values")
			}
		case v.k.order() >= array.order():
			unexpected("a part of an interpolated string is a collection")
		}
		f.measure(v, maxInterpolated-len(b))
		b = appendText(b, v)
		f.work(len(b) / len(room))
	}
	f.set(o.to, textValue(string(b)))
	return true
}

// measure counts what is in a value that is to be written, and ends what would be longer
// than there is room. It returns the room that is left.
func (f *frame) measure(v Value, room int) int {
	switch {
	case v.k == text:
		room -= int(v.n) //nolint:gosec // a length
	case v.k.order() >= array.order():
		visit(f, v, false, func(key, item Value) bool {
			if v.k.isObject() {
				room = f.measure(key, room)
			}
			room = f.measure(item, room)
			return false
		})
	}
	if room < 0 {
		unexpected("an interpolated string has more than %d bytes", maxInterpolated)
	}
	return room
}

// appendText appends a value as interpolated strings have it: a string as it is, and
// anything else as Rego writes it.
func appendText(b []byte, v Value) []byte {
	switch v.k {
	case text:
		return append(b, v.string()...)
	case integer:
		return strconv.AppendInt(b, v.int(), 10)
	case boolean:
		return strconv.AppendBool(b, v.bool())
	case null:
		return append(b, "null"...)
	case decimal, written:
		return append(b, v.number()...)
	}
	return append(b, toAST(v).String()...)
}
