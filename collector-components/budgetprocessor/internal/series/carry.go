// SPDX-License-Identifier: Apache-2.0

package series

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A delta that is cut is carried into the next point of its series that stays, so that
// a sum over time is what it was; that point begins when the first of those began that
// it stands for. Of what is not a delta nothing needs to be carried: the next value
// says it all.
//
// What is carried lies where folded series have what they said last, within the same
// bounds. It is lost with a series that is not heard again within the window.

// carries says whether what is cut of the metric at hand has to be carried.
func (r *run) carries() bool { return r.additive && !r.cumulative }

// owed says whether points that stay may have something to take along.
func (r *run) owed() bool { return r.carries() && r.s.lasts.owed+r.s.histogramsOwed > 0 }

// carryNumber keeps a delta that is cut for the next point of its series; it says
// whether it could.
func (r *run) carryNumber(hash uint64, dp pmetric.NumberDataPoint) bool {
	if dp.Flags().NoRecordedValue() {
		return true
	}
	value := numberOf(dp)
	if !value.finite() {
		return false
	}
	e, _ := r.s.lasts.get(whole(hash))
	if e == nil {
		return false
	}
	start := dp.StartTimestamp()
	if e.owes {
		value = value.plus(fromBits(e.bits, e.double))
		start = earlier(pcommon.Timestamp(e.start), start)
	} else {
		r.s.lasts.owed++
	}
	*e = last{hash: e.hash, bits: value.bits(), start: uint64(start), generation: r.s.generation, double: value.double, owes: true}
	return true
}

// deliverNumber adds what is carried to a point that stays.
func (r *run) deliverNumber(hash uint64, dp pmetric.NumberDataPoint) {
	e := r.s.lasts.known(whole(hash))
	if e == nil || !e.owes || dp.Flags().NoRecordedValue() {
		return
	}
	value := numberOf(dp)
	if !value.finite() {
		return
	}
	r.out.Delivered = true
	value.plus(fromBits(e.bits, e.double)).set(dp)
	dp.SetStartTimestamp(earlier(pcommon.Timestamp(e.start), dp.StartTimestamp()))
	e.owes, e.generation = false, r.s.generation
	r.s.lasts.owed--
}

// earlier is the lesser of two times that are known.
func earlier(a, b pcommon.Timestamp) pcommon.Timestamp {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// owing returns where a histogram that is cut is added, which takes room for so many
// buckets; nil when there is none.
func (r *run) owing(hash uint64, buckets int, start pcommon.Timestamp) *lastHistogram {
	l, isNew := r.last(hash, buckets)
	if l == nil {
		return nil
	}
	if more := histogramBytes(buckets) - l.size; !isNew && more > 0 {
		if !r.s.fix(more) {
			return nil
		}
		l.size += more
	}
	if l.owes {
		start = earlier(l.start, start)
	}
	l.start, l.generation = start, r.s.generation
	return l
}

// owe marks what is carried.
func (l *lastHistogram) owe(s *Service) {
	if !l.owes {
		l.owes = true
		s.histogramsOwed++
	}
}

// pay takes it back.
func (l *lastHistogram) pay(s *Service) {
	if l.owes {
		l.owes = false
		s.histogramsOwed--
	}
}

// carryExplicit is carryNumber of a histogram with bounds. What is carried with other
// bounds is given up: a series has others once, with another release.
func (r *run) carryExplicit(hash uint64, dp pmetric.HistogramDataPoint) bool {
	if dp.Flags().NoRecordedValue() {
		return true
	}
	bounds, counts := dp.ExplicitBounds(), dp.BucketCounts()
	if sum := dp.Sum(); sum-sum != 0 || bounds.Len() > 4*maxBuckets || counts.Len() != 0 && counts.Len() != bounds.Len()+1 {
		return false
	}
	l := r.owing(hash, max(counts.Len(), bounds.Len()), dp.StartTimestamp())
	if l == nil {
		return false
	}
	h, t := &l.explicit, explicitTotal(dp)
	if l.owes && h.alike(dp) {
		h.total.add(&t, false)
		for i := range h.counts {
			h.counts[i] += counts.At(i)
		}
		return true
	}
	h.total = t
	h.bounds, h.counts = slices.Grow(h.bounds[:0], bounds.Len()), slices.Grow(h.counts[:0], counts.Len())
	for i := range bounds.Len() {
		h.bounds = append(h.bounds, bounds.At(i))
	}
	for i := range counts.Len() {
		h.counts = append(h.counts, counts.At(i))
	}
	l.start = dp.StartTimestamp()
	l.owe(r.s)
	return true
}

// deliverExplicit is deliverNumber of a histogram with bounds.
func (r *run) deliverExplicit(hash uint64, dp pmetric.HistogramDataPoint) {
	l := r.s.histograms[hash]
	if l == nil || !l.owes || dp.Flags().NoRecordedValue() {
		return
	}
	l.pay(r.s)
	l.generation = r.s.generation
	if !l.explicit.alike(dp) {
		return
	}
	r.out.Delivered = true
	t := explicitTotal(dp)
	t.add(&l.explicit.total, false)
	for i, n := range l.explicit.counts {
		dp.BucketCounts().SetAt(i, dp.BucketCounts().At(i)+n)
	}
	t.set(dp)
	dp.SetStartTimestamp(earlier(l.start, dp.StartTimestamp()))
}

// alike says whether a point has the same bounds.
func (h *explicit) alike(dp pmetric.HistogramDataPoint) bool {
	bounds := dp.ExplicitBounds()
	if bounds.Len() != len(h.bounds) || dp.BucketCounts().Len() != len(h.counts) {
		return false
	}
	for i, b := range h.bounds {
		if bounds.At(i) != b {
			return false
		}
	}
	return true
}

// carryExponential is carryNumber of an exponential histogram.
func (r *run) carryExponential(hash uint64, dp pmetric.ExponentialHistogramDataPoint) bool {
	if dp.Flags().NoRecordedValue() {
		return true
	}
	if !mergeable(dp) {
		return false
	}
	l := r.owing(hash, max(maxBuckets, dp.Positive().BucketCounts().Len()+dp.Negative().BucketCounts().Len()), dp.StartTimestamp())
	if l == nil {
		return false
	}
	h := &l.exponential
	switch {
	case !l.owes:
		h.total = exponentialTotal(dp)
		h.scale, h.zero, h.zeroThreshold = dp.Scale(), dp.ZeroCount(), dp.ZeroThreshold()
		h.positive.load(dp.Positive())
		h.less.load(dp.Negative())
		l.owe(r.s)
	case h.covers(dp):
		t := exponentialTotal(dp)
		h.total.add(&t, false)
		h.zero += dp.ZeroCount()
		h.positive.join(dp.Positive())
		h.less.join(dp.Negative())
	default: // another scale, or other values: it takes other buckets
		other, ok := exponentialOf(dp).trimmed()
		h.positive.trim()
		h.less.trim()
		return ok && h.add(other, false)
	}
	return true
}

// deliverExponential is deliverNumber of an exponential histogram.
func (r *run) deliverExponential(hash uint64, dp pmetric.ExponentialHistogramDataPoint) {
	l := r.s.histograms[hash]
	if l == nil || !l.owes || dp.Flags().NoRecordedValue() {
		return
	}
	h, ok := exponentialOf(dp).trimmed()
	if !ok {
		return
	}
	l.pay(r.s)
	l.generation = r.s.generation
	o := l.exponential
	o.positive.counts, o.less.counts = slices.Clone(o.positive.counts), slices.Clone(o.less.counts)
	o.positive.trim()
	o.less.trim()
	if h.add(o, false) {
		r.out.Delivered = true
		h.set(dp)
		dp.SetStartTimestamp(earlier(l.start, dp.StartTimestamp()))
	}
}

// mergeable says of a point what trimmed says of a histogram, without copying it.
func mergeable(dp pmetric.ExponentialHistogramDataPoint) bool {
	sum := dp.Sum()
	return sum-sum == 0 && dp.ZeroThreshold() >= 0 && dp.Scale() >= minScale && dp.Scale() <= maxScale &&
		dp.Positive().BucketCounts().Len()+dp.Negative().BucketCounts().Len() <= 4*maxBuckets &&
		indexed(dp.Positive().Offset()) && indexed(dp.Negative().Offset())
}

// covers says whether a point's buckets are among those that there are.
func (h *exponential) covers(dp pmetric.ExponentialHistogramDataPoint) bool {
	return h.scale == dp.Scale() && h.zeroThreshold == dp.ZeroThreshold() && h.positive.cover(dp.Positive()) && h.less.cover(dp.Negative())
}

func (b *buckets) cover(o pmetric.ExponentialHistogramDataPointBuckets) bool {
	n := o.BucketCounts().Len()
	return n == 0 || o.Offset() >= b.offset && int64(o.Offset())+int64(n) <= b.end()
}

// load makes the buckets those of a point, in the memory that they have.
func (b *buckets) load(o pmetric.ExponentialHistogramDataPointBuckets) {
	b.offset, b.counts = o.Offset(), slices.Grow(b.counts[:0], o.BucketCounts().Len())
	for i := range o.BucketCounts().Len() {
		b.counts = append(b.counts, o.BucketCounts().At(i))
	}
}

// join adds those of a point that they cover.
func (b *buckets) join(o pmetric.ExponentialHistogramDataPointBuckets) {
	for i := range o.BucketCounts().Len() {
		b.counts[int(o.Offset()-b.offset)+i] += o.BucketCounts().At(i)
	}
}
