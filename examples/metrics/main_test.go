// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/otelplat/platform/examples/internal/exampletest"
)

// What `go run ./examples/metrics` prints.
const output = `
on /metrics:
  shop_calls_total 7
  shop_order_duration_seconds_sum 5.050000000000001
  shop_order_duration_seconds_count 100
  shop_orders_open 42
  shop_orders_placed_total{item="book"} 99
over OTLP:
  shop.calls: 7
  shop.order.duration: 100 measurements, 5.05 s in all
  shop.orders.open: 42
  shop.orders.placed item=book: 99
`

func TestWhatItPrints(t *testing.T) {
	exampletest.Prints(t, run, output)
}
