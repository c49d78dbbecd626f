// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/log | cat` prints, but for times and ids.
const output = `
{"time":"T","level":"INFO","msg":"ready"}
{"time":"T","level":"INFO","msg":"placed","order":7,"customer":{"id":"c-12","country":"NZ"},"trace_id":"ID","span_id":"ID"}
{"time":"T","level":"DEBUG","msg":"looked up","order":7,"took":3000000,"trace_id":"ID","span_id":"ID"}
{"time":"T","level":"ERROR","msg":"charge failed","order":7,"error":"card declined","trace_id":"ID","span_id":"ID"}

what the collector received:
INFO  ready, in no trace
INFO  placed, in the trace of the order
DEBUG looked up, in the trace of the order
ERROR charge failed, in the trace of the order
`

var (
	times = regexp.MustCompile(`"time":"[^"]+"`)
	ids   = regexp.MustCompile(`_id":"[0-9a-f]{16,32}"`)
)

func TestWhatItPrints(t *testing.T) {
	got := exampletest.Output(t, run)
	got = times.ReplaceAllString(got, `"time":"T"`)
	got = ids.ReplaceAllString(got, `_id":"ID"`)
	exampletest.Compare(t, got, output)
}
