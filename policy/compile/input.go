// SPDX-License-Identifier: Apache-2.0

package compile

import "unsafe"

// Input is an access evaluation request in the form of AuthZEN 1.0. Policies see it
// as the document that its JSON would be; properties and context that are nil are not
// there.
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

// field is a member of the typed input, its entities or its action; 0 is none.
type field uint8

const (
	fieldSubject field = iota + 1
	fieldAction
	fieldResource
	fieldContext
	fieldType
	fieldID
	fieldProperties
	fieldName
)

var fields = map[string]field{
	"subject": fieldSubject, "action": fieldAction, "resource": fieldResource, "context": fieldContext,
	"type": fieldType, "id": fieldID, "properties": fieldProperties, "name": fieldName,
}

// memberNames are the members of the typed input, in order.
var memberNames = map[kind][]string{
	request: {"action", "context", "resource", "subject"},
	entity:  {"id", "properties", "type"},
	action:  {"name", "properties"},
}

// member returns a member of the typed input, of an entity or the action.
func (v Value) member(name field) Value {
	switch v.k {
	case request:
		in := (*Input)(v.p)
		switch name {
		case fieldSubject:
			return Value{k: entity, p: unsafe.Pointer(&in.Subject)}
		case fieldAction:
			return Value{k: action, p: unsafe.Pointer(&in.Action)}
		case fieldResource:
			return Value{k: entity, p: unsafe.Pointer(&in.Resource)}
		case fieldContext:
			return optional(in.Context)
		}
	case entity:
		e := (*Entity)(v.p)
		switch name {
		case fieldID:
			return textValue(e.ID)
		case fieldType:
			return textValue(e.Type)
		case fieldProperties:
			return optional(e.Properties)
		}
	case action:
		a := (*Action)(v.p)
		switch name {
		case fieldName:
			return textValue(a.Name)
		case fieldProperties:
			return optional(a.Properties)
		}
	}
	return Value{}
}

func optional(m map[string]any) Value {
	if m == nil {
		return Value{}
	}
	return dictValue(m)
}
