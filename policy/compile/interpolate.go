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
// value, or of none.
func (s *body) interpolate(terms []*ast.Term) {
	list, ok := terms[0].Value.(*ast.Array)
	if !ok {
		s.l.unsupported("an interpolated string that is not made of parts")
	}
	o := &interpolation{parts: make([]operand, list.Len())}
	for i := range o.parts {
		o.parts[i] = s.part(list.Elem(i))
	}
	o.to = s.reg(textKinds)
	s.add(o)
	s.take(terms[1:], reg(o.to))
}

// part returns the value of a part, which may be undefined.
func (s *body) part(t *ast.Term) operand {
	if v, ok := s.l.ground(t); ok {
		if v.k == set && v.length() == 1 {
			return constantly(v.set().items[0])
		} else if v.k.order() >= array.order() {
			s.l.unsupported("a part of an interpolated string that is no scalar")
		}
		return constantly(v)
	}
	from := s.value(t)
	// The compiler gave the set a variable just before, which nothing else reads. The set
	// need not be made: its member is set in its place.
	for i := len(s.ops) - 1; i >= 0 && from.where == inReg; i-- {
		switch o := s.ops[i].test.(type) {
		case *makeSet:
			if o.to == from.i && len(o.items) == 1 {
				s.ops[i] = op{test: &member1{value: o.items[0], to: o.to}}
				return s.only(t, from)
			}
		case *collect:
			if o.to == from.i && o.what == set {
				m := &member1{body: o.body, value: *o.sink.value, to: o.to}
				if m.several = slices.ContainsFunc(o.body, func(o op) bool { return o.each != nil }); m.several {
					s.facts.raises = true // several values are an error
				}
				s.ops[i] = op{test: m}
				return s.only(t, from)
			}
		}
	}
	s.l.unsupported("a part of an interpolated string that is not made for it")
	return operand{}
}

// only forgets a variable that holds no longer what its name says.
func (s *body) only(t *ast.Term, o operand) operand {
	if v, ok := t.Value.(ast.Var); ok {
		delete(s.vars, v)
	}
	return o
}

// member1 sets a variable to the one value of a body, or to undefined.
type member1 struct {
	body    []op
	value   operand
	several bool // it may have several solutions
	to      int32
}

func (o *member1) holds(f *frame) bool {
	v := Value{}
	if o.several {
		switch values := f.collect(set, func() { f.exec(o.body, member{value: &o.value}) }).set().items; len(values) {
		case 0:
		case 1:
			v = values[0]
		default:
			unexpected("a part of an interpolated string has several values")
		}
	} else if len(o.body) == 0 || f.exec(o.body, first{}) {
		v = f.get(&o.value)
	}
	f.set(o.to, v)
	return true
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
		v := f.get(&o.parts[i])
		f.work(1 + v.length())
		if b = appendText(b, v); len(b) > maxInterpolated {
			unexpected("an interpolated string has more than %d bytes", maxInterpolated)
		}
		f.work(len(b) / len(room))
	}
	f.set(o.to, textValue(string(b)))
	return true
}

// appendText appends a value as interpolated strings have it: a string as it is, and
// anything else as Rego writes it.
func appendText(b []byte, v Value) []byte {
	switch v.k {
	case undefined:
		return append(b, unknown...)
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
