// SPDX-License-Identifier: Apache-2.0

package series

import (
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

const second = int64(time.Second)

func value(start, at int64, count uint64, sum float64) *Value {
	return &Value{Start: start * second, Time: at * second, Count: count, Sum: sum}
}

func TestWhatIsNewSinceTheLastPoint(t *testing.T) {
	table := New(100)
	for _, c := range []struct {
		name    string
		v       *Value
		outcome Outcome
		count   uint64
		sum     float64
		covers  time.Duration
	}{
		{"the first point says nothing yet", value(1, 10, 100, 5), First, 100, 5, 0},
		{"the second says what came since", value(1, 20, 130, 8), Delta, 30, 3, 10 * time.Second},
		{"the same again is stale", value(1, 20, 130, 8), Stale, 130, 8, 0},
		{"one from before is stale", value(1, 15, 110, 6), Stale, 110, 6, 0},
		{"a start anew counts whole", value(25, 30, 7, 1), Delta, 7, 1, 5 * time.Second},
		{"a fall without another start counts whole", value(25, 40, 3, 0.5), Delta, 3, 0.5, 10 * time.Second},
		{"and then goes on", value(25, 50, 5, 0.75), Delta, 2, 0.25, 10 * time.Second},
	} {
		covers, outcome := table.Take(time.Second, 1, 2, c.v)
		if outcome != c.outcome || c.v.Count != c.count || c.v.Sum != c.sum || covers != c.covers {
			t.Errorf("%s: outcome %d, %d in %g over %v; want %d, %d in %g over %v",
				c.name, outcome, c.v.Count, c.v.Sum, covers, c.outcome, c.count, c.sum, c.covers)
		}
	}
}

func TestBucketsAreSubtracted(t *testing.T) {
	table := New(100)
	take := func(at int64, counts ...uint64) *signal.Histogram {
		v := value(1, at, 0, 0)
		v.Latency = &signal.Histogram{Offset: -10, Counts: counts}
		table.Take(0, 1, 1, v)
		return v.Latency
	}
	take(1, 5, 5)
	if got := take(2, 6, 9, 2); got.Counts[0] != 1 || got.Counts[1] != 4 || got.Counts[2] != 2 {
		t.Errorf("%v, want 1, 4, 2", got.Counts)
	}
	if got := take(3, 6, 9, 3); got.Counts[0] != 0 || got.Counts[1] != 0 || got.Counts[2] != 1 {
		t.Errorf("%v, want 0, 0, 1: what was new is not subtracted again", got.Counts)
	}
	if got := take(4, 0, 20, 3); got.Counts[0] != 0 || got.Counts[1] != 11 {
		t.Errorf("%v: a bucket never falls below nothing", got.Counts)
	}
}

func TestBounds(t *testing.T) {
	table := New(8)
	for key := range uint64(5) {
		_, outcome := table.Take(0, 1, key, value(1, 1, 1, 1))
		if (outcome == Full) != (key >= 2) {
			t.Errorf("series %d of one owner: %d; a quarter of 8 is 2", key, outcome)
		}
	}
	for key := range uint64(10) {
		_, outcome := table.Take(time.Minute, 10+key, 100+key, value(1, 1, 1, 1))
		if (outcome == Full) != (key >= 6) {
			t.Errorf("series %d of other owners: %d", key, outcome)
		}
	}
	table.Look(Expire)
	if table.Len() != 6 {
		t.Errorf("%d are kept after those that say nothing expired, want 6", table.Len())
	}
	if _, outcome := table.Take(Expire, 1, 1, value(1, 1, 1, 1)); outcome != First {
		t.Error("an owner whose series expired has room again")
	}
}
