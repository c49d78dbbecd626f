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
	"github.com/otelplat/platform/coord/router/rules"
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

// A document for orders: what may be sent again, and which requests go to the new version.
// A service has rules.Etcd, whose documents operators write.
func ExampleWithRules() {
	serve := func(id, version string) (discovery.Instance, func()) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "version %s", version) }))
		return discovery.Instance{
			Service:   "orders",
			ID:        id,
			Version:   version,
			Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: strings.TrimPrefix(server.URL, "http://")}},
		}, server.Close
	}
	old, closeOld := serve("orders-1", "1.4.0")
	defer closeOld()
	next, closeNext := serve("orders-2", "1.5.0")
	defer closeNext()
	directory, err := discovery.Static(old, next)
	if err != nil {
		fmt.Println(err)
		return
	}
	documents := rules.Memory()
	if err := documents.Put("orders", []byte(`
variants:
  stable: {version: 1.4.0}
  canary: {version: 1.5.0}
routes:
  - name: testers
    match: {headers: {x-tester: {exact: "yes"}}}
    split: [{variant: canary}]
  - name: everyone
    split: [{variant: stable, weight: 100}, {variant: canary, weight: 0}]
    sticky: {header: x-user}
retry: {attempts: 3, on: [refused, unavailable]}
timeout: 2s
`)); err != nil {
		fmt.Println(err)
		return
	}
	r, err := router.New(directory, router.WithRules(documents))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()

	client := &http.Client{Transport: r.Transport(nil)}
	defer client.CloseIdleConnections()
	for _, tester := range []string{"no", "yes"} {
		req, err := http.NewRequest(http.MethodGet, "http://orders/42", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("X-Tester", tester)
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(string(body), err)
	}
	// Output:
	// version 1.4.0 <nil>
	// version 1.5.0 <nil>
}

// A protocol of one's own: select an instance, send to it, record how that went.
func ExampleSelector() {
	directory, err := discovery.Static(discovery.Instance{
		Service:   "thumbnails",
		ID:        "thumbnails-1",
		Endpoints: []discovery.Endpoint{{Protocol: "beanstalk", Address: "10.0.0.7:11300"}},
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
	s, err := r.Selector("thumbnails")
	if err != nil {
		fmt.Println(err)
		return
	}

	send := func(address string) error { fmt.Println("to", address); return nil }
	chosen, err := s.Select("beanstalk", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := send(chosen.Member.Address("beanstalk")); err != nil {
		chosen.Record(router.Error)
		return
	}
	chosen.Record(router.OK)
	stats := s.Stats()
	fmt.Println(stats.Requests, stats.Failures)
	// Output:
	// to 10.0.0.7:11300
	// 1 0
}
