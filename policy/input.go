// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Input is an access evaluation request in the form of AuthZEN 1.0.
type Input struct {
	Subject  Entity         `json:"subject"`
	Action   Action         `json:"action"`
	Resource Entity         `json:"resource"`
	Context  map[string]any `json:"context,omitempty"`
}

// Entity is a subject or a resource.
type Entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties map[string]any `json:"properties,omitempty"`
}

// Action is what the subject wants to do.
type Action struct {
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties,omitempty"`
}

// value makes the document that Rego sees. By hand: it is several times as fast as
// the way through JSON. Properties that are not there are not there for Rego
// either, so that `not input.subject.properties.blocked` is asked, not assumed.
func (in *Input) value() (ast.Value, error) {
	subject, err := in.Subject.term()
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	resource, err := in.Resource.term()
	if err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	action := ast.NewObject(ast.Item(ast.StringTerm("name"), ast.StringTerm(in.Action.Name)))
	if err := insert(action, "properties", in.Action.Properties); err != nil {
		return nil, fmt.Errorf("action: %w", err)
	}
	doc := ast.NewObject(
		ast.Item(ast.StringTerm("subject"), subject),
		ast.Item(ast.StringTerm("action"), ast.NewTerm(action)),
		ast.Item(ast.StringTerm("resource"), resource),
	)
	return doc, insert(doc, "context", in.Context)
}

func (e *Entity) term() (*ast.Term, error) {
	o := ast.NewObject(
		ast.Item(ast.StringTerm("type"), ast.StringTerm(e.Type)),
		ast.Item(ast.StringTerm("id"), ast.StringTerm(e.ID)),
	)
	return ast.NewTerm(o), insert(o, "properties", e.Properties)
}

func insert(o ast.Object, key string, values map[string]any) error {
	if values == nil {
		return nil
	}
	v, err := ast.InterfaceToValue(values)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	o.Insert(ast.StringTerm(key), ast.NewTerm(v))
	return nil
}
