// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/plugin` prints.
const output = `
run 1
run 2
run 3
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
