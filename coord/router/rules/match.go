// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"maps"
	"slices"
	"strings"
)

// matcher is a compiled Match. Each part is a slice in the order of the names, so that two
// tables of one document are alike.
type matcher struct {
	methods []string
	path    text
	grpc    string
	headers []headerMatcher
	cookies []namedMatcher
	claims  []namedMatcher
	caller  [][2]string
}

type headerMatcher struct {
	header
	text
}

type namedMatcher struct {
	name string
	text
}

func newMatcher(m *Match) matcher {
	c := matcher{methods: slices.Clone(m.Methods), path: newText(m.Path), grpc: m.GRPC}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		c.headers = append(c.headers, headerMatcher{newHeader(name), newText(m.Headers[name])})
	}
	c.cookies, c.claims = namedMatchers(m.Cookies), namedMatchers(m.Claims)
	for _, label := range slices.Sorted(maps.Keys(m.Caller)) {
		c.caller = append(c.caller, [2]string{label, m.Caller[label]})
	}
	return c
}

func namedMatchers(m map[string]Text) []namedMatcher {
	var list []namedMatcher
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, namedMatcher{name, newText(m[name])})
	}
	return list
}

// matches reports whether a request meets all parts.
func (m *matcher) matches(r *Request) bool {
	part, _ := m.misses(r)
	return part == ""
}

// misses returns the first part that a request does not meet, and the name in it where there
// are several; "" when it meets all. It goes from what is cheap to look at, and refuses most,
// to what is not, and does not allocate.
func (m *matcher) misses(r *Request) (part, name string) {
	if m.grpc != "" && !grpcMatches(m.grpc, r.GRPC) {
		return "grpc", ""
	}
	if m.path.kind != anyText && (r.GRPC != "" || !m.path.matches(r.Path, true)) {
		return "path", ""
	}
	if m.methods != nil && (r.GRPC != "" || !slices.Contains(m.methods, r.Method)) {
		return "methods", ""
	}
	for i := range m.caller {
		if value, ok := r.Caller[m.caller[i][0]]; !ok || value != m.caller[i][1] {
			return "caller", m.caller[i][0]
		}
	}
	for i := range m.headers {
		if h := &m.headers[i]; !h.matchesOne(r.header(&h.header)) {
			return "headers", h.lower
		}
	}
	for i := range m.cookies {
		if c := &m.cookies[i]; !c.matches(r.cookie(c.name)) {
			return "cookies", c.name
		}
	}
	for i := range m.claims {
		if c := &m.claims[i]; !c.matches(r.claim(c.name)) {
			return "claims", c.name
		}
	}
	return "", ""
}

// grpcMatches reports whether a full method is one, or of a service that ends in a slash.
func grpcMatches(pattern, method string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(method, pattern)
	}
	return method == pattern
}

type textKind uint8

const (
	anyText textKind = iota
	exact
	prefix
	present
	absent
)

// text is a compiled Text.
type text struct {
	kind  textKind
	value string
}

func newText(t Text) text {
	switch {
	case t.Exact != "":
		return text{exact, t.Exact}
	case t.Prefix != "":
		return text{prefix, t.Prefix}
	case t.Present:
		return text{kind: present}
	case t.Absent:
		return text{kind: absent}
	}
	return text{}
}

// matches looks at a text that may not be there.
func (t *text) matches(s string, there bool) bool {
	switch t.kind {
	case exact:
		return there && s == t.value
	case prefix:
		return there && strings.HasPrefix(s, t.value)
	case present:
		return there
	case absent:
		return !there
	default:
		return true
	}
}

// matchesOne looks for one of several texts that matches.
func (t *text) matchesOne(list []string) bool {
	if len(list) == 0 {
		return t.matches("", false)
	}
	for _, s := range list {
		if t.matches(s, true) {
			return true
		}
	}
	return false
}
