// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// descend lowers walk, whose answers are the pairs of a path and the value there: of a value
// itself, and of all that is in it.
func (s *body) descend(terms []*ast.Term) {
	if len(terms) != 2 {
		s.l.unsupported("walk without a pattern")
	}
	from := s.item(terms[0])
	pair, ok := terms[1].Value.(*ast.Array)
	if !ok || pair.Len() != 2 {
		path, value := s.descent(from, true)
		both := &makeArray{items: []operand{path, value}, to: s.reg(arrayKinds)}
		s.add(both)
		s.unify(terms[1], reg(both.to))
		return
	}
	wanted, found := pair.Elem(0), pair.Elem(1)
	if steps, ok := wanted.Value.(*ast.Array); ok {
		// A path of that many keys is a reference.
		keys := make([]*ast.Term, steps.Len())
		for i := range keys {
			keys[i] = steps.Elem(i)
		}
		value := s.along(from, keys)
		s.present(value)
		s.unify(found, value)
		return
	}
	name, isVar := wanted.Value.(ast.Var)
	path, value := s.descent(from, !isVar || !name.IsWildcard())
	if path.where == inReg {
		s.unify(wanted, path)
	}
	s.unify(found, value)
}

// descent adds the step that sets variables to each path, where it is asked for, and value.
func (s *body) descent(from operand, paths bool) (path, value operand) {
	o := &descent{a: from, value: s.reg(anyKind), path: -1, ordered: s.ordered}
	if paths {
		o.path = s.reg(arrayKinds)
		path = reg(o.path)
	}
	s.ops = append(s.ops, op{each: o})
	return path, reg(o.value)
}

// descent runs the rest for a value and for each that is in it, the outer ones first.
type descent struct {
	a           operand
	path, value int32 // path is -1 where nobody asks for it
	ordered     bool  // the order of members shows in the result
}

func (o *descent) run(f *frame, rest []op, s sink) bool {
	d := descending{o, f, rest, s, nil}
	v := f.get(&o.a)
	return v.k != undefined && d.at(v)
}

// descending is one descent under way.
type descending struct {
	*descent
	f    *frame
	rest []op
	sink sink
	keys []Value // that led here
}

func (d *descending) at(v Value) (stop bool) {
	if d.path >= 0 {
		d.f.work(len(d.keys)) // of a value that is nested deep, paths are most of the work
		d.f.set(d.path, arrayValue(&Array{items: slices.Clone(d.keys)}))
	}
	d.f.set(d.value, v)
	if d.f.exec(d.rest, d.sink) {
		return true
	}
	if v.k.order() < array.order() {
		return false
	}
	return visit(d.f, v, d.ordered, func(key, item Value) bool {
		if d.path < 0 {
			return d.at(item)
		}
		d.keys = append(d.keys, key)
		stop := d.at(item)
		d.keys = d.keys[:len(d.keys)-1]
		return stop
	})
}
