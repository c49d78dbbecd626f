// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/otelplat/platform/coord/discovery"
)

// answer is a transport without a network.
type answer struct{}

func (answer) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("ok")), Request: req}, nil
}

// BenchmarkRoundTrip is the router's overhead, with the SDK's histogram behind it:
// what "none" takes is the benchmark's own.
func BenchmarkRoundTrip(b *testing.B) {
	bench := func(b *testing.B, t http.RoundTripper) {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://orders/", nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			resp, err := t.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
	b.Run("none", func(b *testing.B) { bench(b, answer{}) })
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprintf("router/size=%d", size), func(b *testing.B) {
			var instances []discovery.Instance
			for i := range size {
				instances = append(instances, discovery.Instance{Service: "orders", ID: fmt.Sprintf("i%d", i),
					Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}}})
			}
			r, _, _ := newRouter(b, table(b, instances...))
			bench(b, r.Transport(answer{}))
		})
	}
}
