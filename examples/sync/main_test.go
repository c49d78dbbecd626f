// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/sync` prints.
const output = `
ada writes the report, bob does something else
bob has it now, with a greater token: true
ada still has it: false
ada writes too late and is refused
what is there: second report
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
