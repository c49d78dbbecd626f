// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ground returns a term's value if it is constant.
func (l *lowerer) ground(t *ast.Term) (Value, bool) {
	switch t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
	case *ast.Array, ast.Object, ast.Set:
		computed := false
		ast.WalkTerms(t, func(t *ast.Term) bool {
			switch t.Value.(type) {
			case ast.Null, ast.Boolean, ast.Number, ast.String, *ast.Array, ast.Object, ast.Set:
			default:
				computed = true
			}
			return computed
		})
		if computed {
			return Value{}, false
		}
	default:
		return Value{}, false
	}
	v := fromAST(t.Value)
	switch v.k {
	case array:
		v.array().lookInto()
	case object:
		v.object().fixed = true
	}
	l.spend(32)
	return v, true
}

// dataAt returns the data at a path, as a constant.
func (l *lowerer) dataAt(path []Value) Value {
	var name strings.Builder
	var at any = l.data
	for _, key := range path {
		fmt.Fprintf(&name, "/%d:%s", key.k, key.name())
		switch v := at.(type) {
		case map[string]any:
			if key.k != text {
				l.unsupported("a key of data that is no string")
			}
			next, ok := v[key.string()]
			if !ok {
				return Value{}
			}
			at = next
		case []any:
			i, ok := key.index()
			if !ok {
				l.unsupported("an index of data that is no integer")
			}
			if i < 0 || i >= len(v) {
				return Value{}
			}
			at = v[i]
		default:
			return Value{}
		}
	}
	if v, ok := l.constants[name.String()]; ok {
		return v
	}
	l.weigh(at)
	v := constant(at)
	l.constants[name.String()] = v
	return v
}

// weigh counts what a constant will take.
func (l *lowerer) weigh(x any) {
	switch x := x.(type) {
	case map[string]any:
		l.spend(112 * len(x))
		for _, v := range x {
			l.weigh(v)
		}
	case []any:
		l.spend(80 * len(x))
		for _, v := range x {
			l.weigh(v)
		}
	}
}
