// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/kv` prints.
const output = `
number 3
bob is too late: orders/3/clerk is there already
put     orders/last-number = 3
put     orders/3/clerk = ada
put     orders/3/status = packing
put     session/ada = desk 7
deleted session/ada: nobody wrote it again
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
