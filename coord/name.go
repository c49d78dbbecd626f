// SPDX-License-Identifier: Apache-2.0

package coord

import "fmt"

// MaxNameLength is the greatest length of a name, in bytes.
const MaxNameLength = 128

// NameError says which name was refused and why.
type NameError struct {
	Field  string // what the name is of: "service", "instance", "document"
	Name   string
	Reason string
}

func (e *NameError) Error() string {
	name := e.Name
	if len(name) > MaxNameLength {
		name = name[:MaxNameLength] + "…"
	}
	return fmt.Sprintf("coord: %s %q %s", e.Field, name, e.Reason)
}

// CheckName returns a [*NameError] unless s may be part of a key: 1 to 128
// letters, digits, dots, underscores and hyphens of ASCII, a letter or digit
// first. Such a name can be a file name, a URL's host and a metric label
// everywhere, and cannot leave its place in the keyspace.
func CheckName(field, s string) error {
	switch {
	case s == "":
		return &NameError{field, s, "is empty"}
	case len(s) > MaxNameLength:
		return &NameError{field, s, fmt.Sprintf("has %d bytes, more than %d", len(s), MaxNameLength)}
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		case i == 0:
			return &NameError{field, s, "does not begin with a letter or a digit"}
		default:
			return &NameError{field, s, fmt.Sprintf("holds %q: letters, digits, dots, underscores and hyphens are allowed", c)}
		}
	}
	return nil
}
