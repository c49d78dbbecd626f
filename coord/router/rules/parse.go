// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Parse reads a document, YAML or JSON. It is strict: what is unknown, given twice, of
// another type or beyond its limit is a [*Error]. An empty text is [Default].
//
// It does not know the names of a router's own policies: [Document.Compile] does.
func Parse(b []byte) (*Document, error) {
	root, err := parseNode(b)
	if err != nil {
		return nil, err
	}
	doc := Default()
	if root == nil {
		return doc, nil
	}
	d := decoder{lines: make(map[string]int), prepare: doc.prepare}
	if err := d.decode(root, doc); err != nil {
		return nil, err
	}
	if err := doc.check(); err != nil {
		err.Line = d.lineOf(err.Field)
		return nil, err
	}
	return doc, nil
}

// prepare gives a section the values that hold where the document does not say more. The
// decoder reads what is the service's before the routes.
func (d *Document) prepare(section any) {
	switch s := section.(type) {
	case *Route:
		s.Percent, s.Settings = 100, d.Settings
	case *Arm:
		s.Weight = 1
	case *Hedge:
		s.Max = max(s.Max, 1)
	}
}

// yamlLine finds where a YAML error is. The rest of it speaks of the parser's insides.
var yamlLine = regexp.MustCompile(`line (\d+)`)

// parseNode returns the root of a text, nil when nothing is in it.
func parseNode(b []byte) (*yaml.Node, error) {
	if len(b) > MaxBytes {
		return nil, &Error{Value: fmt.Sprintf("%d bytes", len(b)), Want: fmt.Sprintf("at most %d", MaxBytes)}
	}
	if json.Valid(b) {
		// JSON is YAML but for the tabs that may indent it, and those are never in a text.
		b = bytes.ReplaceAll(b, []byte("\t"), []byte(" "))
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var file, more yaml.Node
	switch err := dec.Decode(&file); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, noYAML(err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, &Error{Line: more.Line, Value: "more than one YAML document", Want: "one"}
	case !errors.Is(err, io.EOF):
		return nil, noYAML(err)
	}
	root := file.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, nil
	}
	return root, nil
}

func noYAML(err error) *Error {
	e := &Error{Line: 1, Value: "neither YAML nor JSON", Want: "fields"} // the parser names every line but the first
	if at := yamlLine.FindStringSubmatch(err.Error()); at != nil {
		e.Line, _ = strconv.Atoi(at[1]) // digits
	}
	return e
}
