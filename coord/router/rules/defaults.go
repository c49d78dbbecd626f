// SPDX-License-Identifier: Apache-2.0

package rules

import (
	_ "embed"
	"strings"
)

//go:embed defaults.yaml
var defaults string

// DefaultText returns a document that says what holds without one, each setting with a word
// about it: what [Default] is, to begin a document of one's own with.
func DefaultText() string {
	_, text, _ := strings.Cut(defaults, "\n") // the licence is of this file, not of theirs
	return text
}
