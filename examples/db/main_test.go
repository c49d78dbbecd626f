// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/db` prints.
const output = `
o-3 of ada: 45.5
o-1 of ada: 12
o-1 is at version 2, not 1
news to tell: 1, of the order just placed: true
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
