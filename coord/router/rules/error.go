// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
)

// Error says which field of a document was refused, what it holds and what it may hold.
type Error struct {
	Line  int    // of the document; 0 when it was not read from text
	Field string // "routes[2].retry.attempts"; "" for the document as a whole
	Value string // as it was found, shortened
	Want  string // the limit, or the form
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("rules: ")
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	field := e.Field
	if field == "" {
		field = "the document"
	}
	fmt.Fprintf(&b, "%s is %s, want %s", field, e.Value, e.Want)
	return b.String()
}

// maxShown is how many bytes of a value an error shows.
const maxShown = 64

// shown returns a text as an error quotes it.
func shown(s string) string {
	if len(s) > maxShown {
		return fmt.Sprintf("%q…", s[:maxShown])
	}
	return fmt.Sprintf("%q", s)
}
