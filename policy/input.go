// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy/compile"
)

// Input is an access evaluation request in the form of AuthZEN 1.0. Policies see the
// document that its JSON would be; properties and context that are nil are not there,
// so that `not input.subject.properties.blocked` is asked, not assumed.
type Input = compile.Input

// Entity is a subject or a resource.
type Entity = compile.Entity

// Action is what the subject wants to do.
type Action = compile.Action

// Bounds of an input. They are far beyond any request, and keep one that an attacker
// sends from being work.
const (
	MaxInputValues = 100_000 // values, nested ones included
	MaxInputText   = 1 << 20 // bytes of all strings and keys
	maxInputDepth  = 100
)

// outsized is a look at what costs nothing to look at. What is nested is counted where
// it is work: when the input is made a document of OPA's.
func outsized(in *Input) bool {
	return len(in.Subject.Properties)+len(in.Resource.Properties)+len(in.Action.Properties)+len(in.Context) > MaxInputValues ||
		len(in.Subject.ID)+len(in.Subject.Type)+len(in.Resource.ID)+len(in.Resource.Type)+len(in.Action.Name) > MaxInputText
}

// document makes the document that OPA sees. By hand: it is several times as fast as
// the way through JSON.
func document(in *Input) (ast.Value, error) {
	var c counter
	subject, err := c.entity(&in.Subject)
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	resource, err := c.entity(&in.Resource)
	if err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	action := ast.NewObject(ast.Item(ast.StringTerm("name"), ast.StringTerm(in.Action.Name)))
	if err := c.insert(action, "properties", in.Action.Properties); err != nil {
		return nil, fmt.Errorf("action: %w", err)
	}
	doc := ast.NewObject(
		ast.Item(ast.StringTerm("subject"), subject),
		ast.Item(ast.StringTerm("action"), ast.NewTerm(action)),
		ast.Item(ast.StringTerm("resource"), resource),
	)
	return doc, c.insert(doc, "context", in.Context)
}

// counter holds an input against the bounds.
type counter struct{ values, text int }

func (c *counter) entity(e *Entity) (*ast.Term, error) {
	o := ast.NewObject(
		ast.Item(ast.StringTerm("type"), ast.StringTerm(e.Type)),
		ast.Item(ast.StringTerm("id"), ast.StringTerm(e.ID)),
	)
	return ast.NewTerm(o), c.insert(o, "properties", e.Properties)
}

func (c *counter) insert(o ast.Object, key string, values map[string]any) error {
	if values == nil {
		return nil
	}
	if err := c.count(values, 0); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	v, err := ast.InterfaceToValue(values)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	o.Insert(ast.StringTerm(key), ast.NewTerm(v))
	return nil
}

func (c *counter) count(x any, depth int) error {
	c.values++
	switch x := x.(type) {
	case string:
		c.text += len(x)
	case map[string]any:
		for k, v := range x {
			c.text += len(k)
			if err := c.count(v, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, v := range x {
			if err := c.count(v, depth+1); err != nil {
				return err
			}
		}
	case []string:
		for _, s := range x {
			c.values++
			c.text += len(s)
		}
	}
	if c.values > MaxInputValues || c.text > MaxInputText || depth > maxInputDepth {
		return fmt.Errorf("%w: more than %d values, %d bytes of text or %d levels", ErrTooLarge, MaxInputValues, MaxInputText, maxInputDepth)
	}
	return nil
}
