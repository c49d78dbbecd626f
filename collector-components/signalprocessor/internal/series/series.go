// SPDX-License-Identifier: Apache-2.0

// Package series makes deltas of cumulative series. It keeps the last value of each, by a
// hash that its owner made, and is bounded: in total, and for each owner, so that one
// sender's series do not crowd out another's. Time is a parameter; a [Table] is not safe
// for concurrent use.
package series

import (
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Expire is how long a series that says nothing is kept.
const Expire = 5 * time.Minute

// ownerShare is the part of the table that one owner may fill.
const ownerShare = 4

// Outcome is what became of a point.
type Outcome uint8

// The outcomes.
const (
	Delta Outcome = iota // the value is what is new since the last point
	First                // there is nothing to compare it with: it says nothing yet
	Full                 // it is one series more than the bound
	Stale                // it is not newer than the last
)

// Value is a point of a series: nanoseconds of its sender's clock, and what it counts.
type Value struct {
	Start, Time int64
	Count       uint64
	Sum         float64
	Latency     *signal.Histogram // nil without buckets
}

// Table holds the last values.
type Table struct {
	max    int
	last   map[uint64]*entry
	owners map[uint64]int
}

type entry struct {
	owner uint64
	seen  time.Duration
	value Value
}

// New returns a table for so many series.
func New(maxSeries int) *Table {
	return &Table{max: maxSeries, last: make(map[uint64]*entry), owners: make(map[uint64]int)}
}

// Len returns how many series are kept.
func (t *Table) Len() int { return len(t.last) }

// Take keeps a value and makes it what is new since the last one. Covers is the time, by
// the sender's clock, that this is about. Latency, if any, becomes the table's own; the
// caller goes on with what Take left in v.
func (t *Table) Take(now time.Duration, owner, key uint64, v *Value) (covers time.Duration, outcome Outcome) {
	e := t.last[key]
	if e == nil {
		if len(t.last) >= t.max || t.owners[owner] >= max(1, t.max/ownerShare) {
			return 0, Full
		}
		t.owners[owner]++
		t.last[key] = &entry{owner: owner, seen: now, value: *v}
		return 0, First
	}
	if v.Time <= e.value.Time {
		return 0, Stale
	}
	before := e.value
	e.seen, e.value = now, *v
	if v.Start > before.Start || v.Count < before.Count || v.Sum < before.Sum {
		// It began anew: all that it says is new. What it counts began at its start, or
		// else somewhere after the last point.
		return time.Duration(v.Time - max(v.Start, before.Time)), Delta
	}
	v.Count -= before.Count
	v.Sum -= before.Sum
	if v.Latency != nil {
		v.Latency = subtract(v.Latency, before.Latency)
	}
	return time.Duration(v.Time - before.Time), Delta
}

// subtract returns a − b. Buckets of a that hold less than b's, as happens when a sender
// makes its buckets coarser, are empty.
func subtract(a, b *signal.Histogram) *signal.Histogram {
	out := &signal.Histogram{Sum: a.Sum, Offset: a.Offset, Counts: append([]uint64(nil), a.Counts...)}
	if b == nil {
		return out
	}
	out.Sum = max(0, a.Sum-b.Sum)
	for i := range out.Counts {
		if at := int(out.Offset-b.Offset) + i; at >= 0 && at < len(b.Counts) {
			out.Counts[i] -= min(out.Counts[i], b.Counts[at])
		}
	}
	return out
}

// Look forgets the series that ended.
func (t *Table) Look(now time.Duration) {
	for key, e := range t.last {
		if now-e.seen < Expire {
			continue
		}
		delete(t.last, key)
		if t.owners[e.owner]--; t.owners[e.owner] == 0 {
			delete(t.owners, e.owner)
		}
	}
}
