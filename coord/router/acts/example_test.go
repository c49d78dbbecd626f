// SPDX-License-Identifier: Apache-2.0

package acts_test

import (
	"fmt"
	"time"

	"github.com/otelplat/platform/coord/router/acts"
)

// Two processes took the same instance out, and one has told what came of it. The events are
// as a store keeps them.
func ExampleFold() {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	eject := map[string]any{
		"otelplat.route.service": "orders", "otelplat.route.instance": "orders-2", "otelplat.route.reason": "consecutive_failures",
		"otelplat.route.figure.consecutive": 5.0, "otelplat.route.threshold.consecutive": 5.0,
	}
	events := []acts.Event{
		{ID: "1", Name: "otelplat.route.eject", By: "storefront/1", Stored: noon, Attributes: eject},
		{ID: "2", Name: "otelplat.route.eject", By: "storefront/2", Stored: noon.Add(time.Second), Attributes: eject},
		{ID: "3", Name: "otelplat.route.effect", By: "storefront/1", Stored: noon.Add(12 * time.Second), Attributes: map[string]any{
			"otelplat.route.service": "orders", "otelplat.route.act.id": "1",
			"otelplat.route.errors.before": 0.25, "otelplat.route.requests.before": 80.0, "otelplat.route.requests.after": 75.0,
		}},
	}
	for _, f := range acts.Fold(acts.Join(events, "orders"), acts.FoldWithin) {
		fmt.Println(f.Event, f.Instance, f.Rule, f.Figures, f.By)
		fmt.Println(f.Effect.ErrorsBefore, "→", f.Effect.ErrorsAfter, "as", f.Effects, "of", len(f.By), "saw it")
	}
	// Output:
	// otelplat.route.eject orders-2 consecutive_failures [{consecutive 5 5}] [storefront/1 storefront/2]
	// 0.25 → 0 as 1 of 2 saw it
}
