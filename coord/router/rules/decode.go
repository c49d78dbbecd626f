// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc/codes"
)

// decoder puts a YAML tree into a struct. Unlike yaml's own it says which field it refuses,
// and takes no aliases: what it makes is never larger than the text.
type decoder struct {
	lines   map[string]int // by field
	prepare func(section any)
}

func (d *decoder) decode(n *yaml.Node, into any) error {
	if err := d.value(n, reflect.ValueOf(into).Elem(), ""); err != nil {
		return err
	}
	return nil
}

// lineOf returns the line of a field, or of the nearest that it is part of.
func (d *decoder) lineOf(field string) int {
	for {
		if line, ok := d.lines[field]; ok {
			return line
		}
		at := strings.LastIndexAny(field, ".[")
		if at < 0 {
			return 0
		}
		field = field[:at]
	}
}

// value reads one node. It returns a nil *Error, not a nil error.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) *Error {
	d.lines[path] = n.Line
	switch {
	case n.Kind == yaml.AliasNode:
		return &Error{n.Line, path, "an alias", "what it stands for"}
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return &Error{n.Line, path, "empty", wanted(v.Type())}
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return d.text(n, path, v.Type(), text.UnmarshalText)
	}
	switch into := v.Addr().Interface().(type) {
	case *time.Duration:
		return d.text(n, path, v.Type(), func(b []byte) (err error) {
			*into, err = time.ParseDuration(string(b))
			return err
		})
	case *codes.Code:
		return d.text(n, path, v.Type(), func(b []byte) error { return into.UnmarshalJSON([]byte(strconv.Quote(string(b)))) })
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.section(n, v, path)
	case reflect.Map:
		return d.byName(n, v, path)
	case reflect.Slice:
		return d.list(n, v, path)
	default:
		return d.scalar(n, v, path)
	}
}

// text reads a scalar by a function of its type.
func (d *decoder) text(n *yaml.Node, path string, t reflect.Type, read func([]byte) error) *Error {
	if err := written(n, path, t); err != nil {
		return err
	}
	if read([]byte(n.Value)) != nil {
		return &Error{n.Line, path, shown(n.Value), wanted(t)}
	}
	return nil
}

// written refuses what is no scalar, and scalars whose text is not what they stand for.
func written(n *yaml.Node, path string, t reflect.Type) *Error {
	switch {
	case n.Kind != yaml.ScalarNode:
		return &Error{n.Line, path, kind(n), wanted(t)}
	case !strings.HasPrefix(n.ShortTag(), "!!") || n.ShortTag() == "!!binary":
		return &Error{n.Line, path, "of type " + shown(n.ShortTag()), wanted(t)}
	case len(n.Value) > maxText:
		return &Error{n.Line, path, fmt.Sprintf("%d bytes", len(n.Value)), fmt.Sprintf("at most %d", maxText)}
	}
	return nil
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) *Error {
	if err := written(n, path, v.Type()); err != nil {
		return err
	}
	refused := &Error{n.Line, path, shown(n.Value), wanted(v.Type())}
	tag := n.ShortTag()
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value) // a number's or truth's text too
		return nil
	case reflect.Bool:
		if tag == "!!bool" && (n.Value == "true" || n.Value == "false") {
			v.SetBool(n.Value == "true")
			return nil
		}
	case reflect.Int:
		if i, err := strconv.Atoi(n.Value); err == nil && tag == "!!int" {
			v.SetInt(int64(i))
			return nil
		}
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.Value, 64)
		if err == nil && (tag == "!!int" || tag == "!!float") && !math.IsNaN(f) && !math.IsInf(f, 0) {
			v.SetFloat(f)
			return nil
		}
	}
	return refused
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) *Error {
	if n.Kind != yaml.SequenceNode {
		return &Error{n.Line, path, kind(n), wanted(v.Type())}
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if err := d.value(item, list.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// byName reads a mapping whose names are the document's own.
func (d *decoder) byName(n *yaml.Node, v reflect.Value, path string) *Error {
	if _, err := d.mapping(n, path); err != nil {
		return err
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		name := n.Content[i].Value
		value := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(n.Content[i+1], value, within(path, name)); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(name), value)
	}
	v.Set(m)
	return nil
}

// section reads a mapping whose names are the fields of a struct, in the struct's order.
func (d *decoder) section(n *yaml.Node, v reflect.Value, path string) *Error {
	nodes, err := d.mapping(n, path)
	if err != nil {
		return err
	}
	d.prepare(v.Addr().Interface())
	var known []string
	if err := d.fields(nodes, v, path, &known); err != nil {
		return err
	}
	for i := 0; i < len(n.Content); i += 2 {
		if name := n.Content[i]; nodes[name.Value] != nil {
			return &Error{name.Line, within(path, name.Value), "unknown", "one of " + strings.Join(known, ", ")}
		}
	}
	return nil
}

// fields reads those of a struct and takes them out of nodes.
func (d *decoder) fields(nodes map[string]*yaml.Node, v reflect.Value, path string, known *[]string) *Error {
	for i := range v.NumField() {
		name, inline, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if inline == "inline" {
			if err := d.fields(nodes, v.Field(i), path, known); err != nil {
				return err
			}
			continue
		}
		*known = append(*known, name)
		node := nodes[name]
		if node == nil {
			continue
		}
		delete(nodes, name)
		if err := d.value(node, v.Field(i), within(path, name)); err != nil {
			return err
		}
	}
	return nil
}

// mapping returns the nodes of a mapping by name.
func (d *decoder) mapping(n *yaml.Node, path string) (map[string]*yaml.Node, *Error) {
	if n.Kind != yaml.MappingNode {
		return nil, &Error{n.Line, path, kind(n), "fields"}
	}
	nodes := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		name := n.Content[i]
		switch {
		case name.Kind != yaml.ScalarNode || name.Value == "" || len(name.Value) > maxText:
			return nil, &Error{name.Line, path, "without a name for a field", fmt.Sprintf("1 to %d bytes", maxText)}
		case nodes[name.Value] != nil:
			return nil, &Error{name.Line, within(path, name.Value), "given twice", "once"}
		}
		nodes[name.Value] = n.Content[i+1]
	}
	return nodes, nil
}

// within returns the path of a field of a section.
func within(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// kind names what a node is.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	return shown(n.Value)
}

// wanted names a type in the words of who writes documents.
func wanted(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 1.5s"
	case reflect.TypeFor[codes.Code]():
		return "a gRPC code such as UNAVAILABLE"
	case reflect.TypeFor[Statuses]():
		return errStatuses.Error()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "fields"
}
