// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// secretNames are parts of names whose values are never logged, in lower case.
var secretNames = []string{"token", "password", "passwd", "secret", "authorization", "cookie", "credential", "apikey", "api_key", "api-key", "private_key"}

const hidden = "***"

// hide replaces the values of what is named like a secret, and what looks like a JSON
// Web Token whatever its name is.
func hide(x any) any {
	switch x := x.(type) {
	case map[string]any:
		for name, v := range x {
			if secret(name) {
				x[name] = hidden
			} else {
				x[name] = hide(v)
			}
		}
	case []any:
		for i, v := range x {
			x[i] = hide(v)
		}
	case string:
		if strings.HasPrefix(x, "eyJ") && strings.Count(x, ".") >= 2 || len(x) > 7 && strings.EqualFold(x[:7], "bearer ") {
			return hidden
		}
	}
	return x
}

func secret(name string) bool {
	name = strings.ToLower(name)
	for _, s := range secretNames {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

const maskPath = "system.log.mask"

// masks asks the bundle's mask policy, with the contract of OPA's decision logs: a set
// of JSON pointers, or of objects with op "remove" and path, below /input.
func (s *Snapshot) masks(in map[string]any) ([]string, error) {
	if s == nil || !s.Has(maskPath) {
		return nil, nil
	}
	value, defined, err := s.Eval(context.Background(), maskPath, map[string]any{"input": in})
	if err != nil || !defined {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New("policy: " + maskPath + " is not a set")
	}
	pointers := make([]string, 0, len(list))
	for _, v := range list {
		switch v := v.(type) {
		case string:
			pointers = append(pointers, v)
		case map[string]any:
			p, isText := v["path"].(string)
			if op := v["op"]; op != "remove" || !isText {
				return nil, errors.New("policy: " + maskPath + " holds an operation other than remove")
			}
			pointers = append(pointers, p)
		default:
			return nil, errors.New("policy: " + maskPath + " holds what is no pointer")
		}
	}
	return pointers, nil
}

// remove takes out what a JSON pointer (RFC 6901) below /input leads to.
func remove(doc map[string]any, pointer string) {
	rest, ok := strings.CutPrefix(pointer, "/input/")
	if !ok {
		return
	}
	parts := strings.Split(rest, "/")
	var at any = doc
	for i, part := range parts {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		last := i == len(parts)-1
		switch v := at.(type) {
		case map[string]any:
			if last {
				delete(v, part)
				return
			}
			at = v[part]
		case []any:
			n, err := strconv.Atoi(part)
			if err != nil || n < 0 || n >= len(v) {
				return
			}
			if last {
				v[n] = hidden
				return
			}
			at = v[n]
		default:
			return
		}
	}
}
