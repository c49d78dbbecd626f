// SPDX-License-Identifier: Apache-2.0

// Command shop runs one instance of one of the shop's services until it is
// interrupted:
//
//	shop inventory inventory-1
//
// What it needs of its environment package kit says. `otelplat up --demo` runs the
// same services.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/otelplat/platform/examples/shop/inventory"
	"github.com/otelplat/platform/examples/shop/orders"
	"github.com/otelplat/platform/examples/shop/storefront"
)

var services = map[string]func(ctx context.Context, instance string) error{
	"inventory": inventory.Run, "orders": orders.Run, "storefront": storefront.Run,
}

func main() {
	if len(os.Args) != 3 || services[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: shop inventory|orders|storefront INSTANCE")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := services[os.Args[1]](ctx, os.Args[2])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}
