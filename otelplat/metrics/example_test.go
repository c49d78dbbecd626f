// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/otelplat/platform/otelplat/metrics"
	"go.opentelemetry.io/otel/attribute"
)

func Example() {
	set := metrics.NewSet()
	placed, err := set.Counter("shop.orders.placed", metrics.WithUnit("{order}"), metrics.With(attribute.String("item", "book")))
	if err != nil {
		fmt.Println(err)
		return
	}
	placed.Inc()
	placed.Add(2)

	scrape, err := metrics.NewScrape(set)
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	scrape.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "shop_") {
			fmt.Print(line)
		}
	}
	// Output: shop_orders_placed_total{item="book"} 3
}
