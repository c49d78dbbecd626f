// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"errors"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// maxBytes bounds a file or document: it is read whole, and kept.
const maxBytes = 1 << 20

// line finds where a YAML error is. The rest of the error may quote the value.
var line = regexp.MustCompile(`line (\d+)`)

// parse reads YAML whose top is a mapping with names as keys. An empty text sets
// nothing.
func parse(text []byte) (map[string]any, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("has %d bytes, more than %d", len(text), maxBytes)
	}
	var root any
	if err := yaml.Unmarshal(text, &root); err != nil {
		if at := line.FindStringSubmatch(err.Error()); at != nil {
			return nil, fmt.Errorf("is not YAML: line %s", at[1])
		}
		return nil, errors.New("is not YAML")
	}
	switch values := root.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return values, nil
	}
	return nil, errors.New("does not hold fields: the top must be a mapping")
}
