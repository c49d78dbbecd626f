// SPDX-License-Identifier: Apache-2.0

package db

import (
	"fmt"
)

// Query selects records of a collection.
type Query struct {
	Where      []Condition // all must hold; 8 at most
	Order      string      // field, and within one value by id; "" is by id
	Descending bool
	Limit      int    // records of a page, 1 to 1000; 0 is 100
	Cursor     string // of the page before; "" is the first page
}

// Condition is about one field. Functions make them: [Equal], [Less], [In] and
// the like.
type Condition struct {
	Field  string
	Op     Operator
	Values []any // one, but for OpIn
}

// Operator is how a condition compares.
type Operator uint8

// The operators.
const (
	OpEqual Operator = iota + 1
	OpLess
	OpAtMost
	OpGreater
	OpAtLeast
	OpIn
	OpPrefix
)

var operatorNames = [...]string{
	OpEqual: "equal", OpLess: "less", OpAtMost: "at most", OpGreater: "greater", OpAtLeast: "at least",
	OpIn: "in", OpPrefix: "prefix",
}

// String returns the operator's name.
func (o Operator) String() string {
	if o >= OpEqual && o <= OpPrefix {
		return operatorNames[o]
	}
	return fmt.Sprintf("operator %d", uint8(o))
}

// Equal selects records whose field has the value.
func Equal(field string, value any) Condition { return Condition{field, OpEqual, []any{value}} }

// Less selects records whose field is less than the value.
func Less(field string, value any) Condition { return Condition{field, OpLess, []any{value}} }

// AtMost selects records whose field is the value or less.
func AtMost(field string, value any) Condition { return Condition{field, OpAtMost, []any{value}} }

// Greater selects records whose field is greater than the value.
func Greater(field string, value any) Condition { return Condition{field, OpGreater, []any{value}} }

// AtLeast selects records whose field is the value or greater.
func AtLeast(field string, value any) Condition { return Condition{field, OpAtLeast, []any{value}} }

// In selects records whose field has one of the values, 1 to 100.
func In(field string, values ...any) Condition { return Condition{field, OpIn, values} }

// Prefix selects records whose field, of type string, begins with the prefix. It
// is not empty, so that a lost value does not select everything.
func Prefix(field, prefix string) Condition { return Condition{field, OpPrefix, []any{prefix}} }

// selection checks the query against a collection's fields.
func (q *Query) selection(collection string, types map[string]Type) (Selection, error) {
	s := Selection{Collection: collection, Order: q.Order, Descending: q.Descending, Limit: q.Limit}
	switch {
	case q.Limit == 0:
		s.Limit = DefaultLimit
	case q.Limit < 0:
		return s, &InputError{collection, "limit", fmt.Sprintf("is %d, less than 1", q.Limit), 1}
	case q.Limit > MaxLimit:
		return s, &InputError{collection, "limit", fmt.Sprintf("is %d, more than %d", q.Limit, MaxLimit), MaxLimit}
	}
	if s.Order == "" {
		s.Order = idField
	}
	if types[s.Order] == 0 {
		return s, &InputError{collection, "order", fmt.Sprintf("names the field %s, which is not declared", quote(s.Order)), 0}
	}
	if len(q.Where) > MaxConditions {
		return s, tooMany(collection, "where", "conditions", len(q.Where), MaxConditions)
	}
	for _, c := range q.Where {
		checked, err := c.check(collection, types[c.Field])
		if err != nil {
			return s, err
		}
		s.Where = append(s.Where, checked)
	}
	if q.Cursor != "" {
		var err error
		if s.After, err = parseCursor(q.Cursor, &s, types[s.Order]); err != nil {
			return s, err
		}
	}
	return s, nil
}

// quote shows a name that may be anything.
func quote(name string) string {
	if len(name) > MaxName {
		return fmt.Sprintf("%q…", name[:MaxName])
	}
	return fmt.Sprintf("%q", name)
}

// check returns the condition with values of the field's type, 0 for a field that
// is not declared.
func (c Condition) check(collection string, t Type) (Condition, error) {
	if t == 0 {
		return c, &InputError{collection, "where", fmt.Sprintf("names the field %s, which is not declared", quote(c.Field)), 0}
	}
	field := "where." + c.Field
	switch {
	case c.Op < OpEqual || c.Op > OpPrefix:
		return c, &InputError{collection, field, fmt.Sprintf("has the unknown %v", c.Op), 0}
	case len(c.Values) == 0:
		return c, &InputError{collection, field, "has no value", 0}
	case c.Op == OpIn && len(c.Values) > MaxIn:
		return c, tooMany(collection, field, "values", len(c.Values), MaxIn)
	case c.Op != OpIn && len(c.Values) > 1:
		return c, tooMany(collection, field, "values", len(c.Values), 1)
	case c.Op == OpPrefix && t != TypeString:
		return c, &InputError{collection, field, fmt.Sprintf("is a %v: only strings have a prefix", t), 0}
	case c.Op != OpEqual && c.Op != OpIn && t == TypeBool:
		return c, &InputError{collection, field, "is a bool, which is compared with equal and in only", 0}
	}
	values := make([]any, len(c.Values))
	for i, v := range c.Values {
		value, err := t.canonical(v)
		if err != nil {
			err.Collection, err.Field = collection, field
			return c, err
		}
		values[i] = value
	}
	if c.Op == OpPrefix && values[0] == "" {
		return c, &InputError{collection, field, "has an empty prefix", 0}
	}
	c.Values = values
	return c, nil
}
