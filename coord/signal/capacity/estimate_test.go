// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"testing"
	"time"
)

func TestAnEstimateMoved(t *testing.T) {
	base := Estimate{Demand: 100 * time.Millisecond, Of: 1000, Parallelism: 4}
	for name, tc := range map[string]struct {
		from, to Estimate
		want     bool
	}{
		"not when it is the same":                  {base, base, false},
		"when it becomes known":                    {Estimate{}, base, true},
		"when it is known no longer":               {base, Estimate{}, true},
		"when the parallelism falls by a third":    {base, Estimate{base.Demand, base.Of, 2.6}, true},
		"not when it falls by a quarter":           {base, Estimate{base.Demand, base.Of, 3}, false},
		"when the demand rises by 30 %":            {base, Estimate{130 * time.Millisecond, 1000, 4}, true},
		"when the demand falls by 30 %":            {base, Estimate{70 * time.Millisecond, 1000, 4}, true},
		"not when the demand rises by 20 %":        {base, Estimate{120 * time.Millisecond, 1000, 4}, false},
		"not when few requests say that it rose":   {base, Estimate{130 * time.Millisecond, 20, 4}, false},
		"not when few requests say where it began": {Estimate{100 * time.Millisecond, 20, 4}, Estimate{130 * time.Millisecond, 1000, 4}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.from.Moved(tc.to); got != tc.want {
				t.Errorf("from %+v to %+v: %t, want %t", tc.from, tc.to, got, tc.want)
			}
		})
	}
}
