// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/auth` prints.
const output = `
nobody GET /healthz    200 ok
nobody GET /orders/17  401 a valid bearer token is needed
ada    GET /orders/17  200 order 17, shown to user:ada
bob    GET /orders/17  403 denied by rule default
cleo   GET /orders/17  200 order 17, shown to user:cleo
cleo   GET /orders/18  403 denied by rule order-is-sealed
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
