// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/event` prints.
const output = `
audit saw 4 events: what was published twice is one
inventory ships the book of o-1, at attempt 1
inventory ships the pen of o-3, at attempt 2
given up: o-2 after 1 attempt: nobody sells a unicorn
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
