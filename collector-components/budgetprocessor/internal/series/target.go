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

// maxAttributes is how many bytes the attributes of a cumulative target may have,
// which keeps them: others are folded into the overflow series.
const maxAttributes = 4096

// target returns the series that a point is folded into; nil when there is no room.
// over are the labels whose value is replaced; none stands for the overflow series.
func (r *run) target(hash uint64, attributes pcommon.Map, over uint64, at pcommon.Timestamp) *target {
	all := r.batch
	if r.cumulative {
		all = r.s.targets
	}
	t := all[hash]
	if t == nil {
		size := r.size
		if over != 0 {
			size += attributesSize(attributes, over)
		}
		if r.cumulative && (len(all) >= maxTargets || !r.s.fix(size)) {
			return nil
		}
		t = &target{attributes: pcommon.NewMap(), start: at, size: size}
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

// fits says whether a target may keep the attributes of a point.
func (r *run) fits(hash uint64, attributes pcommon.Map, over uint64) bool {
	return !r.cumulative || r.s.targets[hash] != nil || attributesSize(attributes, over) <= maxAttributes
}

// attributesSize is what the keys and values of attributes take, but for the values
// of some labels.
func attributesSize(attributes pcommon.Map, over uint64) (n int) {
	i := 0
	for k, v := range attributes.All() {
		n += len(k)
		if over>>i&1 == 0 {
			n += valueSize(v)
		}
		i++
	}
	return n
}

func valueSize(v pcommon.Value) int {
	n := 16
	switch v.Type() {
	case pcommon.ValueTypeStr:
		n += len(v.Str())
	case pcommon.ValueTypeBytes:
		n += v.Bytes().Len()
	case pcommon.ValueTypeSlice:
		for _, e := range v.Slice().All() {
			n += valueSize(e)
		}
	case pcommon.ValueTypeMap:
		n += attributesSize(v.Map(), 0)
	}
	return n
}

// relabelledHash is the hash of what relabelled returns, without making it.
func relabelledHash(attributes pcommon.Map, over uint64) uint64 {
	sum := uint64(attributes.Len())
	i := 0
	for k, v := range attributes.All() {
		if over>>i&1 != 0 {
			sum += pair(k, otherValue)
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
