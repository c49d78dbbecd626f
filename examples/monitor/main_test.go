// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/monitor` prints.
const output = `
recommendations hang: /livez 200, /readyz 200 degraded
the database is away: /livez 200, /readyz 503 down
  database: down: connection refused
  recommendations: down: no answer within 100ms
the database is back: /livez 200, /readyz 200 degraded
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
