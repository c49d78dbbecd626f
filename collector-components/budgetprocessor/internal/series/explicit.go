// SPDX-License-Identifier: Apache-2.0

package series

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// explicit is a histogram with bounds.
type explicit struct {
	total
	bounds []float64
	counts []uint64
}

// total is what histograms of both kinds have beside their buckets.
type total struct {
	count    uint64
	sum      float64
	noSum    bool // one of them had none
	min, max float64
	noRange  bool // one of them had none, or they are cumulative: it cannot be subtracted
}

// add adds another, of which this is the first when the count is 0.
func (a *total) add(b *total, first bool) {
	if first {
		*a = *b
		return
	}
	a.count += b.count
	a.sum += b.sum
	a.min, a.max = min(a.min, b.min), max(a.max, b.max)
	a.noSum = a.noSum || b.noSum
	a.noRange = a.noRange || b.noRange
}

// since returns what was added since another, of the same series.
func (a *total) since(b *total) total {
	return total{count: a.count - b.count, sum: a.sum - b.sum, noSum: a.noSum || b.noSum, noRange: true}
}

func explicitTotal(dp pmetric.HistogramDataPoint) total {
	return total{
		count: dp.Count(), sum: dp.Sum(), noSum: !dp.HasSum(),
		min: dp.Min(), max: dp.Max(), noRange: !dp.HasMin() || !dp.HasMax(),
	}
}

func explicitOf(dp pmetric.HistogramDataPoint) explicit {
	return explicit{
		total:  explicitTotal(dp),
		bounds: dp.ExplicitBounds().AsRaw(), counts: dp.BucketCounts().AsRaw(),
	}
}

// sound says whether there are as many counts as bounds need, or none, and not too
// many of either to be kept.
func (h *explicit) sound() bool {
	return len(h.bounds) <= 4*maxBuckets && (len(h.counts) == 0 || len(h.counts) == len(h.bounds)+1)
}

// add adds another of the same bounds; it says whether it could.
func (h *explicit) add(o *explicit, first bool) bool {
	if first {
		*h = *o
		h.counts = slices.Clone(o.counts)
		return true
	}
	if len(h.counts) != len(o.counts) || !slices.Equal(h.bounds, o.bounds) {
		return false
	}
	h.total.add(&o.total, false)
	for i, n := range o.counts {
		h.counts[i] += n
	}
	return true
}

// since returns what was added since a former state of the series; ok is false when
// it is none.
func (h *explicit) since(o *explicit) (inc explicit, ok bool) {
	if h.count < o.count || len(h.counts) != len(o.counts) || !slices.Equal(h.bounds, o.bounds) {
		return explicit{}, false
	}
	inc = explicit{total: h.total.since(&o.total), bounds: h.bounds, counts: make([]uint64, len(h.counts))}
	for i, n := range h.counts {
		if n < o.counts[i] {
			return explicit{}, false
		}
		inc.counts[i] = n - o.counts[i]
	}
	return inc, true
}

// none is a histogram of the same bounds without values.
func (h *explicit) none() explicit {
	return explicit{total: total{noSum: h.noSum, noRange: true}, bounds: h.bounds, counts: make([]uint64, len(h.counts))}
}

// set writes the total into a point of either kind.
func (a *total) set(dp interface {
	SetCount(uint64)
	SetSum(float64)
	RemoveSum()
	SetMin(float64)
	RemoveMin()
	SetMax(float64)
	RemoveMax()
}) {
	dp.SetCount(a.count)
	if a.noSum {
		dp.RemoveSum()
	} else {
		dp.SetSum(a.sum)
	}
	if a.noRange {
		dp.RemoveMin()
		dp.RemoveMax()
	} else {
		dp.SetMin(a.min)
		dp.SetMax(a.max)
	}
}

func (h *explicit) set(dp pmetric.HistogramDataPoint) {
	h.total.set(dp)
	dp.ExplicitBounds().FromRaw(h.bounds)
	dp.BucketCounts().FromRaw(h.counts)
}

// lastHistogram is what a folded cumulative histogram said last, or what was cut of one
// of deltas.
type lastHistogram struct {
	start       pcommon.Timestamp
	generation  uint32
	size        int
	owes        bool // to the next point of its series
	explicit    explicit
	exponential exponential
}

// histogramBytes is what a histogram takes: as much as eight or more numbers.
func histogramBytes(buckets int) int { return 256 + 16*buckets }

// last returns what a folded histogram said last, and whether this is the first time;
// nil when there is no room.
func (r *run) last(hash uint64, buckets int) (l *lastHistogram, isNew bool) {
	s := r.s
	if l = s.histograms[hash]; l != nil {
		return l, false
	}
	size := histogramBytes(buckets)
	if len(s.histograms) >= s.lasts.most/8 || !s.fix(size) {
		return nil, true
	}
	l = &lastHistogram{size: size}
	s.histograms[hash] = l
	return l, true
}

// foldExplicit adds a histogram, or what a cumulative one has grown by.
func (r *run) foldExplicit(t *target, hash uint64, dp pmetric.HistogramDataPoint) reason {
	h := explicitOf(dp)
	if h.sum-h.sum != 0 || !h.sound() {
		return reasonUnmergeable
	}
	if !r.cumulative {
		if !t.explicit.add(&h, !t.some) {
			return reasonUnmergeable
		}
		t.span(dp.StartTimestamp(), dp.Timestamp())
		return ""
	}
	l, isNew := r.last(hash, max(len(h.counts), len(h.bounds)))
	if l == nil {
		return reasonFoldedFull
	}
	h.noRange = true
	inc := h
	switch {
	case isNew:
		if !r.whole(t, dp.StartTimestamp()) {
			inc = h.none()
		}
	case dp.StartTimestamp() < l.start:
		return "" // late
	case dp.StartTimestamp() == l.start:
		grown, ok := h.since(&l.explicit)
		if !ok && h.count < l.explicit.count && l.start != 0 {
			return "" // late
		}
		if ok {
			inc = grown
		} // else it began again
	}
	if !t.explicit.add(&inc, !t.some) {
		return reasonUnmergeable
	}
	l.start, l.generation, l.explicit = dp.StartTimestamp(), r.s.generation, h
	t.time = max(t.time, dp.Timestamp())
	t.some = true
	return ""
}
