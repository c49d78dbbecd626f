// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/config` prints.
const output = `
at first: {Timeout:2s Retries:5 Banner:from the file}
changed:  {Timeout:250ms Retries:5 Banner:sale}
refused:  configsrc: document orders: timeout: must be more than 0 and at most 1m
in force: {Timeout:250ms Retries:5 Banner:sale}
restored: {Timeout:250ms Retries:5 Banner:sale}
revision 3 by ada: that was a mistake
revision 2 by ada: more time
revision 1 by ada: the sale begins
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
