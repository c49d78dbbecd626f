// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/discovery` prints.
const output = `
both came: ["inventory-1 up" "inventory-2 up"]
one drains: ["inventory-1 draining" "inventory-2 up"]
it left: ["inventory-2 up"]
one vanished: ["inventory-2 up, unconfirmed"]
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
