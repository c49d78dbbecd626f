// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"fmt"

	"github.com/otelplat/platform/coord/access"
)

// The roles of a namespace say what each may write, and who writes a key.
func ExampleRoles() {
	n := access.Namespace{Root: "otelplat", Name: "default"}
	for _, r := range access.Roles(n, "orders") {
		for _, p := range r.Permissions {
			if p.Write && (r.Short == access.Collector || r.Short == "service.orders") {
				fmt.Println(r.Name, "writes", p.Key)
			}
		}
	}
	fmt.Println(access.Writer(n, "/otelplat/default/config/orders/head"))

	// Output:
	// otelplat.default.collector writes /otelplat/default/budget/
	// otelplat.default.collector writes /otelplat/default/signal/
	// otelplat.default.service.orders writes /otelplat/default/discovery/orders/
	// controller
}
