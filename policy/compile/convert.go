// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
)

// fromAST makes a Value of one of OPA's. What is not ground is a surprise.
func fromAST(v ast.Value) Value {
	switch v := v.(type) {
	case ast.Null:
		return Value{k: null}
	case ast.Boolean:
		return boolValue(bool(v))
	case ast.Number:
		return numberValue(string(v))
	case ast.String:
		return textValue(string(v))
	case *ast.Array:
		a := &Array{items: make([]Value, 0, v.Len())}
		v.Foreach(func(t *ast.Term) { a.items = append(a.items, fromAST(t.Value)) })
		return arrayValue(a)
	case ast.Object:
		keys, values := make([]Value, 0, v.Len()), make([]Value, 0, v.Len())
		v.Foreach(func(k, t *ast.Term) {
			keys, values = append(keys, fromAST(k.Value)), append(values, fromAST(t.Value))
		})
		return objectValue(newObject(keys, values))
	case ast.Set:
		items := make([]Value, 0, v.Len())
		v.Foreach(func(t *ast.Term) { items = append(items, fromAST(t.Value)) })
		return setValue(newSet(items))
	}
	unexpected("a value of type %T", v)
	return Value{}
}

// toAST makes a value of OPA's.
func toAST(v Value) ast.Value {
	switch v.k {
	case null:
		return ast.NullValue
	case boolean:
		return ast.Boolean(v.bool())
	case integer, decimal, written:
		return ast.Number(v.number())
	case text:
		return ast.String(v.string())
	case array, slice, strs:
		terms := make([]*ast.Term, v.length())
		for i := range terms {
			terms[i] = ast.NewTerm(toAST(v.at(i)))
		}
		return ast.NewArray(terms...)
	case set:
		s := ast.NewSetWithCapacity(v.length())
		for _, x := range v.set().items {
			s.Add(ast.NewTerm(toAST(x)))
		}
		return s
	}
	o := v.asObject()
	out := ast.NewObjectWithCapacity(len(o.keys))
	for i, k := range o.keys {
		out.Insert(ast.NewTerm(toAST(k)), ast.NewTerm(toAST(o.values[i])))
	}
	return out
}

// Interface returns a value as rego's results have it: JSON's types, numbers as
// [json.Number], sets as slices in order; nil for undefined. It returns a
// [*SurpriseError] for what OPA has to take over.
func (v Value) Interface() (x any, err error) {
	defer recovered(&err)
	return v.plain()
}

func (v Value) plain() (any, error) {
	switch v.k {
	case undefined, null:
		return nil, nil
	case boolean:
		return v.bool(), nil
	case integer, decimal, written:
		return json.Number(v.number()), nil
	case text:
		return v.string(), nil
	case set:
		return interfaces(v.set().items)
	case array:
		return interfaces(v.array().items)
	}
	return ast.JSON(toAST(v))
}

func interfaces(items []Value) (any, error) {
	out := make([]any, len(items))
	for i, item := range items {
		x, err := item.plain()
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// Items returns the members of an array or a set, in order; ok is false for anything
// else.
func (v Value) Items() (items []Value, ok bool) {
	switch v.k {
	case set:
		return v.set().items, true
	case array, slice, strs:
		items = make([]Value, v.length())
		for i := range items {
			items[i] = v.at(i)
		}
		return items, true
	}
	return nil, false
}

// constant makes a Value of data: what is large is made to be looked into.
func constant(x any) Value {
	switch x := x.(type) {
	case map[string]any:
		keys, values := make([]Value, 0, len(x)), make([]Value, 0, len(x))
		for k, v := range x {
			keys, values = append(keys, textValue(k)), append(values, constant(v))
		}
		o := newObject(keys, values)
		o.fixed = true
		return objectValue(o)
	case []any:
		a := &Array{items: make([]Value, len(x))}
		for i, v := range x {
			a.items[i] = constant(v)
		}
		a.lookInto()
		return arrayValue(a)
	}
	return wrap(x)
}

// lookInto lets membership be a look-up.
func (a *Array) lookInto() {
	if len(a.items) > hashed {
		a.set = newSet(append([]Value(nil), a.items...))
	}
}
