// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
)

// A client that knows orders by its name. The directory is a fixed table so that the
// example runs anywhere; a service has discovery.Etcd and signal.Etcd.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprintf(w, "%s of %s", req.URL.Path, req.Host)
	}))
	defer server.Close()
	directory, err := discovery.Static(discovery.Instance{
		Service:   "orders",
		ID:        "orders-1",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: strings.TrimPrefix(server.URL, "http://")}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := router.New(directory)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	if err := r.Ready(context.Background(), "orders"); err != nil {
		fmt.Println(err)
		return
	}

	client := &http.Client{Transport: r.Transport(nil)}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://orders/42")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(body))

	choices, err := r.Explain("orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range choices {
		fmt.Println(c.Member.ID, c.State, c.InFlight)
	}
	// Output:
	// /42 of orders
	// orders-1 active 0
}
