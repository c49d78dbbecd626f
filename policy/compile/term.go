// SPDX-License-Identifier: Apache-2.0

package compile

import "github.com/open-policy-agent/opa/v1/ast"

// value returns where the value of a term is, after steps that find it.
func (s *body) value(t *ast.Term) operand {
	if v, ok := s.l.ground(t); ok {
		return constantly(v)
	}
	switch v := t.Value.(type) {
	case ast.Var:
		o, bound := s.vars[v]
		if !bound {
			s.l.unsupported("variable %s has no value where it is used", v)
		}
		if o.where == inReg {
			s.facts.uses[o.i]++
		}
		return o
	case ast.Ref:
		return s.ref(v)
	case *ast.Array:
		o := &makeArray{to: s.reg(arrayKinds)}
		for i := range v.Len() {
			o.items = append(o.items, s.item(v.Elem(i)))
		}
		s.add(o)
		return reg(o.to)
	case ast.Set:
		o := &makeSet{to: s.reg(setKinds)}
		v.Foreach(func(t *ast.Term) { o.items = append(o.items, s.item(t)) })
		s.add(o)
		return reg(o.to)
	case ast.Object:
		o := &makeObject{to: s.reg(objectKinds)}
		v.Foreach(func(k, t *ast.Term) {
			o.keys, o.values = append(o.keys, s.item(k)), append(o.values, s.item(t))
		})
		s.facts.raises = s.facts.raises || computedKeys(o.keys)
		s.add(o)
		return reg(o.to)
	case *ast.ArrayComprehension:
		return s.collect(array, v.Body, nil, v.Term)
	case *ast.SetComprehension:
		return s.collect(set, v.Body, nil, v.Term)
	case *ast.ObjectComprehension:
		return s.collect(object, v.Body, v.Key, v.Value)
	}
	s.l.unsupported("a term of type %T", t.Value)
	return operand{}
}

func computedKeys(keys []operand) bool {
	for _, k := range keys {
		if k.where != inConst {
			return len(keys) > 1
		}
	}
	return false
}

// item is a value within a collection.
func (s *body) item(t *ast.Term) operand {
	o := s.value(t)
	s.present(o)
	return o
}

func (s *body) collect(what kind, exprs ast.Body, key, value *ast.Term) operand {
	o := &collect{what: what}
	in, _ := s.within(func(in *body) {
		in.ordered = what == array
		in.lower(exprs)
		if key != nil {
			k := in.item(key)
			o.sink.key = &k
			s.facts.raises = true // a key can have two values
		}
		v := in.item(value)
		o.sink.value = &v
	})
	o.body = in.ops
	switch what {
	case array:
		o.to = s.reg(arrayKinds)
	case set:
		o.to = s.reg(setKinds)
	default:
		o.to = s.reg(objectKinds)
	}
	s.add(o)
	return reg(o.to)
}
