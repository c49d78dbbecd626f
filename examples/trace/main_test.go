// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/trace` prints.
const output = `
4 spans arrived:
place order (internal)
  HTTP GET (client)
    GET /stock/{item} (server)
      look up (internal)
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
