// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Check returns why a text cannot be a layer: it is no YAML or JSON, has no fields at
// its top, or more than 1 MiB. It does not know the fields that a service has.
func Check(document []byte) error {
	_, err := parse(document)
	return err
}

// Difference is a field that two documents do not have alike.
type Difference struct {
	Field  string `json:"field"`  // path, as "listen.address"
	Before string `json:"before"` // as JSON; "" where the field is not there
	After  string `json:"after"`
}

// Diff returns the fields that differ, in the order of their paths: mappings are
// compared field by field, whatever their order and layout, everything else as a
// whole. An empty document has no fields.
func Diff(before, after []byte) ([]Difference, error) {
	was, err := flat(before)
	if err != nil {
		return nil, fmt.Errorf("configsrc: the document before %w", err)
	}
	is, err := flat(after)
	if err != nil {
		return nil, fmt.Errorf("configsrc: the document after %w", err)
	}
	paths := make(map[string]bool, len(was)+len(is))
	for path := range was {
		paths[path] = true
	}
	for path := range is {
		paths[path] = true
	}
	var list []Difference
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if was[path] != is[path] {
			list = append(list, Difference{path, was[path], is[path]})
		}
	}
	return list, nil
}

// flat returns a document's fields as JSON, by path.
func flat(document []byte) (map[string]string, error) {
	values, err := parse(document)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	return fields, flatten(fields, nil, values)
}

func flatten(to map[string]string, path []string, value any) error {
	if fields, ok := value.(map[string]any); ok && (len(fields) > 0 || len(path) == 0) {
		for name, below := range fields {
			if err := flatten(to, append(slices.Clone(path), name), below); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("has a field %s that is no JSON: %w", strings.Join(path, "."), err)
	}
	to[strings.Join(path, ".")] = string(text)
	return nil
}
