// SPDX-License-Identifier: Apache-2.0

package series

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// exponential is a histogram whose bucket i holds the values in (b^i, b^(i+1)], with
// b = 2^(2^-scale).
type exponential struct {
	total
	scale          int32
	zero           uint64
	zeroThreshold  float64
	positive, less buckets
}

// buckets are counts from an index on.
type buckets struct {
	offset int32
	counts []uint64
}

const (
	// maxBuckets is OpenTelemetry's default; what needs more has its scale reduced.
	maxBuckets = 160

	// minScale is where a bucket holds every number there is.
	minScale = -11
	maxScale = 20
)

// indexed says whether buckets may begin at an index.
func indexed(offset int32) bool { return offset >= math.MinInt32/2 && offset <= math.MaxInt32/2 }

func exponentialTotal(dp pmetric.ExponentialHistogramDataPoint) total {
	return total{
		count: dp.Count(), sum: dp.Sum(), noSum: !dp.HasSum(),
		min: dp.Min(), max: dp.Max(), noRange: !dp.HasMin() || !dp.HasMax(),
	}
}

func exponentialOf(dp pmetric.ExponentialHistogramDataPoint) exponential {
	return exponential{
		total: exponentialTotal(dp),
		scale: dp.Scale(), zero: dp.ZeroCount(), zeroThreshold: dp.ZeroThreshold(),
		positive: buckets{dp.Positive().Offset(), dp.Positive().BucketCounts().AsRaw()},
		less:     buckets{dp.Negative().Offset(), dp.Negative().BucketCounts().AsRaw()},
	}
}

// shrink joins 2^by buckets into one each.
func (b *buckets) shrink(by int32) {
	if by <= 0 || len(b.counts) == 0 {
		b.offset >>= max(by, 0)
		return
	}
	first := b.offset >> by
	out := make([]uint64, int((b.offset+int32(len(b.counts))-1)>>by-first)+1)
	for i, n := range b.counts {
		out[(b.offset+int32(i))>>by-first] += n
	}
	b.offset, b.counts = first, out
}

// trim takes empty buckets off both ends.
func (b *buckets) trim() {
	for len(b.counts) > 0 && b.counts[0] == 0 {
		b.counts = b.counts[1:]
		b.offset++
	}
	for n := len(b.counts); n > 0 && b.counts[n-1] == 0; n = len(b.counts) {
		b.counts = b.counts[:n-1]
	}
}

// end is the index behind the last bucket. Indexes lie up to 2^30 from zero on either
// side, so that what lies between two of them needs more than 32 bits.
func (b *buckets) end() int64 { return int64(b.offset) + int64(len(b.counts)) }

// width is how many buckets hold both, once 2^by are joined into one each.
func (b *buckets) width(o *buckets, by int32) int64 {
	switch {
	case len(b.counts) == 0 && len(o.counts) == 0:
		return 0
	case len(b.counts) == 0:
		return o.width(o, by)
	case len(o.counts) == 0:
		return b.width(b, by)
	}
	first := int64(min(b.offset, o.offset)) >> by
	return (max(b.end(), o.end())-1)>>by - first + 1
}

// add adds buckets of the same scale.
func (b *buckets) add(o *buckets) {
	if len(o.counts) == 0 {
		return
	}
	width, first := b.width(o, 0), o.offset
	if len(b.counts) > 0 {
		first = min(first, b.offset)
	}
	out := make([]uint64, width)
	for i, n := range b.counts {
		out[b.offset+int32(i)-first] += n
	}
	for i, n := range o.counts {
		out[o.offset+int32(i)-first] += n
	}
	b.offset, b.counts = first, out
}

// subtract takes away buckets of the same scale; it says whether none was less.
func (b *buckets) subtract(o *buckets) bool {
	out := make([]uint64, len(b.counts))
	copy(out, b.counts)
	for i, n := range o.counts {
		at := int64(o.offset) + int64(i) - int64(b.offset)
		if n == 0 {
			continue
		}
		if at < 0 || at >= int64(len(out)) || out[at] < n {
			return false
		}
		out[at] -= n
	}
	b.counts = out
	return true
}

// take moves what lies below a threshold out of the buckets.
func (b *buckets) take(threshold float64, scale int32) (moved uint64) {
	for len(b.counts) > 0 && upper(b.offset, scale) <= threshold {
		moved += b.counts[0]
		b.counts = b.counts[1:]
		b.offset++
	}
	return moved
}

// upper is the upper bound of a bucket.
func upper(index, scale int32) float64 {
	return math.Exp2(math.Ldexp(float64(index)+1, int(-scale)))
}

// shrink reduces the scale.
func (h *exponential) shrink(by int32) {
	if by <= 0 {
		return
	}
	h.scale -= by
	h.positive.shrink(by)
	h.less.shrink(by)
}

// raise widens the bucket of zeros.
func (h *exponential) raise(threshold float64) {
	if threshold <= h.zeroThreshold {
		return
	}
	h.zeroThreshold = threshold
	h.zero += h.positive.take(threshold, h.scale) + h.less.take(threshold, h.scale)
}

// trimmed returns a histogram whose slices may be changed, without empty buckets at
// the ends; false when it is not one that can be merged.
func (h exponential) trimmed() (exponential, bool) {
	if h.sum-h.sum != 0 || !(h.zeroThreshold >= 0) || h.scale < minScale || h.scale > maxScale || len(h.positive.counts)+len(h.less.counts) > 4*maxBuckets {
		return h, false
	}
	for _, b := range []*buckets{&h.positive, &h.less} {
		if !indexed(b.offset) {
			return h, false
		}
		b.trim()
	}
	return h, true
}

// align brings two histograms to one scale at which both fit, and to one width of
// zero.
func align(a, b *exponential) {
	scale := min(a.scale, b.scale)
	a.shrink(a.scale - scale)
	b.shrink(b.scale - scale)
	by := int32(0)
	for by < scale-minScale && (a.positive.width(&b.positive, by) > maxBuckets || a.less.width(&b.less, by) > maxBuckets) {
		by++
	}
	a.shrink(by)
	b.shrink(by)
	a.raise(b.zeroThreshold)
	b.raise(a.zeroThreshold)
}

// add adds another; it says whether it could.
func (h *exponential) add(o exponential, first bool) bool {
	if first {
		*h = o
		return true
	}
	align(h, &o)
	if h.positive.width(&o.positive, 0) > maxBuckets || h.less.width(&o.less, 0) > maxBuckets {
		return false // indexes of no number
	}
	h.total.add(&o.total, false)
	h.zero += o.zero
	h.positive.add(&o.positive)
	h.less.add(&o.less)
	return true
}

// since returns what was added since a former state of the series; ok is false when
// it is none.
func (h exponential) since(o exponential) (inc exponential, ok bool) {
	if h.count < o.count {
		return h, false
	}
	align(&h, &o)
	if h.zero < o.zero || !h.positive.subtract(&o.positive) || !h.less.subtract(&o.less) {
		return h, false
	}
	h.total = h.total.since(&o.total)
	h.zero -= o.zero
	return h, true
}

func (h *exponential) set(dp pmetric.ExponentialHistogramDataPoint) {
	h.total.set(dp)
	dp.SetScale(h.scale)
	dp.SetZeroCount(h.zero)
	dp.SetZeroThreshold(h.zeroThreshold)
	dp.Positive().SetOffset(h.positive.offset)
	dp.Positive().BucketCounts().FromRaw(h.positive.counts)
	dp.Negative().SetOffset(h.less.offset)
	dp.Negative().BucketCounts().FromRaw(h.less.counts)
}

// foldExponential adds a histogram, or what a cumulative one has grown by.
func (r *run) foldExponential(t *target, hash uint64, dp pmetric.ExponentialHistogramDataPoint) reason {
	h, ok := exponentialOf(dp).trimmed()
	if !ok {
		return reasonUnmergeable
	}
	if !r.cumulative {
		if !t.exponential.add(h, !t.some) {
			return reasonUnmergeable
		}
		t.span(dp.StartTimestamp(), dp.Timestamp())
		return ""
	}
	l, isNew := r.last(hash, max(maxBuckets, len(h.positive.counts)+len(h.less.counts)))
	if l == nil {
		return reasonFoldedFull
	}
	h.noRange = true
	inc := h
	switch {
	case isNew:
		if !r.whole(t, dp.StartTimestamp()) {
			inc = exponential{total: total{noSum: h.noSum, noRange: true}, scale: h.scale, zeroThreshold: h.zeroThreshold}
		}
	case dp.StartTimestamp() < l.start:
		return "" // late
	case dp.StartTimestamp() == l.start:
		grown, ok := h.since(l.exponential)
		if !ok && h.count < l.exponential.count && l.start != 0 {
			return "" // late
		}
		if ok {
			inc = grown
		} // else it began again
	}
	if !t.exponential.add(inc, !t.some) {
		return reasonUnmergeable
	}
	l.start, l.generation, l.exponential = dp.StartTimestamp(), r.s.generation, h
	t.time = max(t.time, dp.Timestamp())
	t.some = true
	return ""
}
