// SPDX-License-Identifier: Apache-2.0

package configsrc

import "fmt"

// Error says which layer was refused and why. It holds no values.
type Error struct {
	Source string // name of the layer
	Field  string // path of the field, as "listen.address"; "" for the layer as a whole
	Reason string
	err    error // of the configuration's Validate
}

// Unwrap returns what the configuration's Validate method returned, nil when it was
// not that.
func (e *Error) Unwrap() error { return e.err }

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("configsrc: %s: %s", e.Source, e.Reason)
	}
	return fmt.Sprintf("configsrc: %s: field %q %s", e.Source, e.Field, e.Reason)
}
