// SPDX-License-Identifier: Apache-2.0

package discovery_test

import (
	"context"
	"fmt"

	"github.com/otelplat/platform/coord/discovery"
)

// An instance announces itself, is found, and says that it goes before it goes.
func Example() {
	ctx := context.Background()
	registry := discovery.Memory() // in a fleet: discovery.Etcd(client)
	directory, err := registry.Directory(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer directory.Close()

	registration, err := registry.Register(ctx, discovery.Instance{
		Service: "orders", ID: "orders-1", Zone: "z1", Version: "1.4.0",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "10.0.0.7:8080"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-registration.Registered()
	show := func() {
		for _, m := range directory.Members("orders") {
			fmt.Println(m.ID, m.State(), m.Address(discovery.HTTP))
		}
	}
	show()
	if err := registration.Drain(); err != nil {
		fmt.Println(err)
		return
	}
	show()
	if err := registration.Close(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(directory.Members("orders")))

	// Output:
	// orders-1 up 10.0.0.7:8080
	// orders-1 draining 10.0.0.7:8080
	// 0
}
