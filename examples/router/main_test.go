// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/router` prints.
const output = `
all are well: 30 requests, 0 failed
inventory-3 is out after 5 failures
  inventory-1: active, weight 1, why: ""
  inventory-2: active, weight 1, why: ""
  inventory-3: ejected, weight 0, why: "consecutive_failures"
inventory-3 is back, and no request failed meanwhile: true
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
