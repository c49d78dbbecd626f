// SPDX-License-Identifier: Apache-2.0

package series

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// overflowKey is the attribute by which OpenTelemetry marks the series that stands
// for those beyond a limit.
const overflowKey = "otel.metric.overflow"

// overflowHash is that of the set {overflowKey: true}.
var overflowHash = func() uint64 {
	m := pcommon.NewMap()
	m.PutBool(overflowKey, true)
	return Attributes(m)
}()

// target is a series that others are folded into. Those of cumulative metrics stay,
// for their values only grow; others are of one batch.
type target struct {
	attributes pcommon.Map
	generation uint32
	size       int
	touched    bool // in this metric of this batch
	some       bool // has a value

	start, time pcommon.Timestamp
	number      number
	explicit    explicit
	exponential exponential
}

// Estimates of what a target takes.
const (
	numberSize    = 512
	histogramSize = 4096 // with two times 160 buckets
)

// target returns the series that a point is folded into; nil when there is no room.
// over are the labels whose value is replaced; none stands for the overflow series.
func (r *run) target(hash uint64, attributes pcommon.Map, over uint64, at pcommon.Timestamp) *target {
	all := r.batch
	if r.cumulative {
		all = r.s.targets
	}
	t := all[hash]
	if t == nil {
		if r.cumulative && (len(all) >= maxTargets || !r.s.fix(r.size)) {
			return nil
		}
		t = &target{attributes: pcommon.NewMap(), start: at, size: r.size}
		if r.cumulative && r.settled && r.resource.latest != 0 && r.resource.latest < at {
			t.start = r.resource.latest // there was no such series then
		}
		if over == 0 {
			t.attributes.PutBool(overflowKey, true)
		} else {
			relabelled(attributes, over).MoveTo(t.attributes)
		}
		all[hash] = t
	}
	if !t.touched {
		t.touched = true
		r.touched = append(r.touched, t)
	}
	t.generation = r.s.generation
	return t
}

// relabelled returns attributes with the values of some labels replaced.
func relabelled(attributes pcommon.Map, over uint64) pcommon.Map {
	out := pcommon.NewMap()
	attributes.CopyTo(out)
	i := 0
	for _, v := range out.All() {
		if over>>i&1 != 0 {
			v.SetStr(otherValue)
		}
		i++
	}
	return out
}

// relabelledHash is the hash of what relabelled returns, without making it.
func relabelledHash(attributes pcommon.Map, over uint64) uint64 {
	sum := uint64(attributes.Len())
	i := 0
	for k, v := range attributes.All() {
		if over>>i&1 != 0 {
			sum += text(text(2, k), otherValue)
		} else {
			sum += attribute(k, v)
		}
		i++
	}
	return sum
}

// whole says whether the first value of a cumulative series counts whole.
func (r *run) whole(t *target, start pcommon.Timestamp) bool {
	return r.settled || start != 0 && start >= t.start
}

// span widens the time of the target by that of a delta.
func (t *target) span(start, end pcommon.Timestamp) {
	if !t.some || start < t.start {
		t.start = start
	}
	t.time = max(t.time, end)
	t.some = true
}
