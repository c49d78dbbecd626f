// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Path names a value of a bundle as Rego does: names with dots between them, and in
// brackets and quotes what is no name: otelplat.telemetry.redact["card-number"].
func Path(keys ...string) string {
	var b strings.Builder
	for i, key := range keys {
		switch {
		case !identifier(key):
			quoted, _ := json.Marshal(key) // of a string: it cannot fail
			b.WriteString("[" + string(quoted) + "]")
		case i > 0:
			b.WriteString("." + key)
		default:
			b.WriteString(key)
		}
	}
	return b.String()
}

func identifier(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// keys are those of a path; ok is false for what is no path.
func keys(path string) (keys []string, ok bool) {
	for first := true; path != ""; first = false {
		if strings.HasPrefix(path, "[") {
			if first {
				return nil, false
			}
			d := json.NewDecoder(strings.NewReader(path[1:]))
			var key string
			if d.Decode(&key) != nil {
				return nil, false
			}
			rest, found := strings.CutPrefix(path[1+d.InputOffset():], "]")
			if !found {
				return nil, false
			}
			keys, path = append(keys, key), rest
			continue
		}
		if !first {
			rest, dot := strings.CutPrefix(path, ".")
			if !dot {
				return nil, false
			}
			path = rest
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		if !identifier(path[:end]) {
			return nil, false
		}
		keys, path = append(keys, path[:end]), path[end:]
	}
	return keys, len(keys) > 0
}

func askable(path string) bool {
	_, ok := keys(path)
	return ok
}

// ref makes a reference of a path. By hand: the parser takes 20 µs.
func ref(path string) ast.Ref {
	list, _ := keys(path)
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, key := range list {
		ref = append(ref, ast.StringTerm(key))
	}
	return ref
}

// hasData reports whether the bundle's data has anything at a path.
func (s *Snapshot) hasData(path string) bool {
	list, _ := keys(path)
	var at any = s.data
	for _, key := range list {
		object, ok := at.(map[string]any)
		if !ok {
			return false
		}
		if at, ok = object[key]; !ok {
			return false
		}
	}
	return true
}

// Below returns the keys of the rules that stand one key below a path, such as
// "card-number" of redact["card-number"] below "otelplat.telemetry.redact", in order; ok
// is false when not all that is there are such: a rule makes its key when it is asked,
// there are rules further down, or data.
func (s *Snapshot) Below(path string) (below []string, ok bool) {
	node := s.compiler.RuleTree
	for _, t := range ref(path) {
		if node = node.Child(t.Value); node == nil {
			return nil, !s.hasData(path)
		}
	}
	if len(node.Values) > 0 || s.hasData(path) {
		return nil, false
	}
	for key, child := range node.Children {
		name, isText := key.(ast.String)
		if !isText || len(child.Children) > 0 {
			return nil, false
		}
		below = append(below, string(name))
	}
	slices.Sort(below)
	return below, true
}
