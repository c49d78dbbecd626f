// SPDX-License-Identifier: Apache-2.0

package signal_test

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/otelplat/platform/coord/signal"
)

// Two collectors each heard some of an instance's callers. Their shares together give the
// verdict that one collector would have come to that had heard all.
func Example() {
	share := func(collector string, callers ...string) *signal.Share {
		e := signal.Evidence{Seconds: 1}
		for _, name := range callers {
			c := signal.Caller{Hash: signal.HashCaller(name), Requests: 20, Failures: 15}
			e.Requests += c.Requests
			e.Failures += c.Failures
			e.Callers = append(e.Callers, c)
		}
		slices.SortFunc(e.Callers, func(a, b signal.Caller) int { return cmp.Compare(a.Hash, b.Hash) })
		return &signal.Share{
			Service: "inventory", Collector: collector, Shards: 1,
			Instances: []signal.Instance{{ID: "inventory-2", Evidence: e}},
		}
	}
	east := share("collector-east", "service:orders", "service:storefront")
	west := share("collector-west", "service:search")

	fleet := signal.Merge([]*signal.Share{east, west})
	fmt.Println(fleet.Instances["inventory-2"].Verdict)

	// Output: bad: 3 of 3 callers saw it bad, 45 of 60 requests failed
}
