// SPDX-License-Identifier: Apache-2.0

package series

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// reason is why a point was dropped.
type reason string

const (
	reasonFoldedFull  reason = "folded_full"  // no room for another folded cumulative series
	reasonMetricsFull reason = "metrics_full" // no room for another name of a metric
	reasonUnmergeable reason = "unmergeable"  // a summary, other bounds, no number
)

// Outcome counts what became of a batch's points: those that came in are kept,
// folded or dropped, and the series that they were folded into add what is emitted.
type Outcome struct {
	In, Kept, Emitted int

	// Folded, by the limit that did not let them be series of their own.
	FoldedService, FoldedMetric, FoldedLabel, FoldedTenant, FoldedMemory int

	// Dropped, by reason.
	DroppedFoldedFull, DroppedMetricsFull, DroppedUnmergeable int

	// Cut for the points a second: by their turn, by the second cut, and by either where
	// the delta that they were could not be carried into a later point.
	DroppedRate, DroppedSkewed, DroppedUncarried int

	// Passed is how many the cut by turns let pass.
	Passed int

	// Delivered says that points took along what was cut before, so that they are others
	// than those that came in.
	Delivered bool
}

// Cut returns the points that were cut for the points a second.
func (o *Outcome) Cut() int { return o.DroppedRate + o.DroppedSkewed + o.DroppedUncarried }

// Folded returns the points that were folded.
func (o *Outcome) Folded() int {
	return o.FoldedService + o.FoldedMetric + o.FoldedLabel + o.FoldedTenant + o.FoldedMemory
}

// Dropped returns the points that were dropped.
func (o *Outcome) Dropped() int {
	return o.Cut() + o.DroppedFoldedFull + o.DroppedMetricsFull + o.DroppedUnmergeable
}

func (o *Outcome) drop(why reason) {
	switch why {
	case reasonFoldedFull:
		o.DroppedFoldedFull++
	case reasonMetricsFull:
		o.DroppedMetricsFull++
	default:
		o.DroppedUnmergeable++
	}
}

func (o *Outcome) fold(why verdict) {
	switch why {
	case relabel:
		o.FoldedLabel++
	case overMetric:
		o.FoldedMetric++
	case overTenant:
		o.FoldedTenant++
	case overMemory:
		o.FoldedMemory++
	default:
		o.FoldedService++
	}
}

// run is one pass over the metrics of a resource.
type run struct {
	s        *Service
	out      Outcome
	now      time.Duration
	thin     Thinning
	resource *resource
	settled  bool
	scope    uint64 // hash of resource and scope
	latest   pcommon.Timestamp
	from     uint64 // place of the resource

	// Of the metric at hand.
	metric                *metric // nil when there is no room for its name
	base, overflow        uint64
	cumulative, monotonic bool
	additive              bool    // a sum or a histogram
	place                 uint64  // of its series, but for their attributes
	turn, nth             uint64  // of the point before
	size                  int     // of a target
	why                   verdict // of the point at hand
	batch                 map[uint64]*target
	touched               []*target
}

// Process holds the metrics of one resource to the limits: points of series that
// there is no room for are folded or dropped. Before that they are thinned.
func (s *Service) Process(now time.Duration, limits Limits, thin Thinning, rm pmetric.ResourceMetrics) Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass(now, limits)
	r := &s.run
	batch := r.batch
	if batch == nil {
		batch = make(map[uint64]*target)
	}
	*r = run{s: s, now: now, thin: thin, batch: batch, touched: r.touched[:0]}
	hash := Attributes(rm.Resource().Attributes())
	r.from = place(0, rm.Resource().Attributes())
	if r.resource = s.resource(now, hash); r.resource != nil {
		r.settled = r.resource.settled(now)
	}
	for i := range rm.ScopeMetrics().Len() {
		sm := rm.ScopeMetrics().At(i)
		r.scope = Combine(text(text(hash, sm.Scope().Name()), sm.Scope().Version()), Attributes(sm.Scope().Attributes()))
		sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return r.one(m) == 0 })
	}
	rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool { return sm.Metrics().Len() == 0 })
	if r.resource != nil {
		r.resource.latest = max(r.resource.latest, r.latest)
	}
	return r.out
}

// one holds a metric to the limits and returns how many points it has left.
func (r *run) one(m pmetric.Metric) int {
	r.metric = r.s.metric(m.Name())
	r.monotonic, r.additive = false, false
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points := m.Gauge().DataPoints()
		r.begin(m, pmetric.AggregationTemporalityUnspecified)
		r.numbers(points, true)
		return points.Len()
	case pmetric.MetricTypeSum:
		points := m.Sum().DataPoints()
		r.monotonic, r.additive = m.Sum().IsMonotonic(), true
		r.begin(m, m.Sum().AggregationTemporality())
		r.numbers(points, false)
		return points.Len()
	case pmetric.MetricTypeHistogram:
		points := m.Histogram().DataPoints()
		r.additive = true
		r.begin(m, m.Histogram().AggregationTemporality())
		r.explicits(points)
		return points.Len()
	case pmetric.MetricTypeExponentialHistogram:
		points := m.ExponentialHistogram().DataPoints()
		r.additive = true
		r.begin(m, m.ExponentialHistogram().AggregationTemporality())
		r.exponentials(points)
		return points.Len()
	case pmetric.MetricTypeSummary:
		points := m.Summary().DataPoints()
		r.begin(m, pmetric.AggregationTemporalityUnspecified)
		r.summaries(points)
		return points.Len()
	}
	return 1 // a metric without data has no series
}

// begin makes the run ready for a metric. Series of one name that differ in type,
// temporality or unit are different ones.
func (r *run) begin(m pmetric.Metric, temporality pmetric.AggregationTemporality) {
	r.cumulative = temporality == pmetric.AggregationTemporalityCumulative
	r.size = numberSize
	if m.Type() == pmetric.MetricTypeHistogram || m.Type() == pmetric.MetricTypeExponentialHistogram {
		r.size = histogramSize
	}
	kind := uint64(m.Type())<<8 | uint64(temporality)<<1
	if r.monotonic {
		kind++
	}
	r.base = Combine(text(text(r.scope, m.Name()), m.Unit()), kind)
	r.overflow = Combine(r.base, overflowHash)
	r.place = placeText(r.from, m.Name())
	r.turn, r.nth = 0, 0
}

// meet counts a point that comes in, and returns the hash of its series.
func (r *run) meet(attributes pcommon.Map, at pcommon.Timestamp) (hash uint64) {
	r.out.In++
	r.latest = max(r.latest, at)
	return Combine(r.base, Attributes(attributes))
}

// judge decides about a point that stays in time: it is kept; or it is folded into a
// target; or, when there is neither, dropped, which is counted. The caller counts a fold.
func (r *run) judge(hash uint64, attributes pcommon.Map, at pcommon.Timestamp) (t *target, keep bool) {
	if r.metric == nil {
		r.out.drop(reasonMetricsFull)
		return nil, false
	}
	v, over := r.s.admit(r.metric, hash, attributes)
	if v == admitted && (hash != r.overflow || r.s.targets[hash] == nil) {
		r.out.Kept++
		return nil, true
	}
	return r.divert(v, over, attributes, at), false
}

// divert returns the target of a point that is not to be a series of its own.
func (r *run) divert(v verdict, over uint64, attributes pcommon.Map, at pcommon.Timestamp) (t *target) {
	r.why = v
	if v == relabel {
		into := Combine(r.base, relabelledHash(attributes, over))
		if r.fits(into, attributes, over) {
			if v = r.s.enter(r.metric, into, attributes, over); v == admitted {
				t = r.target(into, attributes, over, at)
			}
		}
	}
	if t == nil && r.s.overflowing(r.overflow) {
		t = r.target(r.overflow, attributes, 0, at)
	}
	if t == nil {
		r.out.drop(reasonFoldedFull)
	}
	return t
}

// folded counts a point that was folded, or could not be.
func (r *run) folded(dropped reason) {
	if dropped != "" {
		r.out.drop(dropped)
		return
	}
	r.out.fold(r.why)
	r.metric.folded++
}

// emit calls add for every target that this metric's points were folded into.
func (r *run) emit(add func(t *target)) {
	for _, t := range r.touched {
		if t.some {
			add(t)
			r.out.Emitted++
		}
		t.touched = false
	}
	clear(r.touched)
	r.touched = r.touched[:0]
	clear(r.batch)
}

// numbers works on the points of a gauge or a sum.
func (r *run) numbers(points pmetric.NumberDataPointSlice, gauge bool) {
	points.RemoveIf(func(dp pmetric.NumberDataPoint) bool {
		attributes := dp.Attributes()
		hash := r.meet(attributes, dp.Timestamp())
		if why := r.thinned(hash, attributes, dp.Timestamp()); why != stays {
			r.cut(why, hash, attributes, !r.carries() || r.carryNumber(hash, dp))
			return true
		}
		if r.owed() {
			r.deliverNumber(hash, dp)
		}
		t, keep := r.judge(hash, attributes, dp.Timestamp())
		switch {
		case t == nil:
			return !keep
		case dp.Flags().NoRecordedValue():
			r.folded("")
		case gauge:
			r.folded(r.foldGauge(t, dp))
		default:
			r.folded(r.foldSum(t, hash, dp))
		}
		return true
	})
	if len(r.touched) == 0 {
		return
	}
	r.emit(func(t *target) {
		dp := points.AppendEmpty()
		t.attributes.CopyTo(dp.Attributes())
		dp.SetStartTimestamp(t.start)
		dp.SetTimestamp(t.time)
		t.number.set(dp)
	})
}

// explicits works on the points of a histogram with bounds.
func (r *run) explicits(points pmetric.HistogramDataPointSlice) {
	points.RemoveIf(func(dp pmetric.HistogramDataPoint) bool {
		attributes := dp.Attributes()
		hash := r.meet(attributes, dp.Timestamp())
		if why := r.thinned(hash, attributes, dp.Timestamp()); why != stays {
			r.cut(why, hash, attributes, !r.carries() || r.carryExplicit(hash, dp))
			return true
		}
		if r.owed() {
			r.deliverExplicit(hash, dp)
		}
		t, keep := r.judge(hash, attributes, dp.Timestamp())
		switch {
		case t == nil:
			return !keep
		case dp.Flags().NoRecordedValue():
			r.folded("")
		default:
			r.folded(r.foldExplicit(t, hash, dp))
		}
		return true
	})
	if len(r.touched) == 0 {
		return
	}
	r.emit(func(t *target) {
		dp := points.AppendEmpty()
		t.attributes.CopyTo(dp.Attributes())
		dp.SetStartTimestamp(t.start)
		dp.SetTimestamp(t.time)
		t.explicit.set(dp)
	})
}

// exponentials works on the points of an exponential histogram.
func (r *run) exponentials(points pmetric.ExponentialHistogramDataPointSlice) {
	points.RemoveIf(func(dp pmetric.ExponentialHistogramDataPoint) bool {
		attributes := dp.Attributes()
		hash := r.meet(attributes, dp.Timestamp())
		if why := r.thinned(hash, attributes, dp.Timestamp()); why != stays {
			r.cut(why, hash, attributes, !r.carries() || r.carryExponential(hash, dp))
			return true
		}
		if r.owed() {
			r.deliverExponential(hash, dp)
		}
		t, keep := r.judge(hash, attributes, dp.Timestamp())
		switch {
		case t == nil:
			return !keep
		case dp.Flags().NoRecordedValue():
			r.folded("")
		default:
			r.folded(r.foldExponential(t, hash, dp))
		}
		return true
	})
	if len(r.touched) == 0 {
		return
	}
	r.emit(func(t *target) {
		dp := points.AppendEmpty()
		t.attributes.CopyTo(dp.Attributes())
		dp.SetStartTimestamp(t.start)
		dp.SetTimestamp(t.time)
		t.exponential.set(dp)
	})
}

// summaries works on the points of a summary, which cannot be merged.
func (r *run) summaries(points pmetric.SummaryDataPointSlice) {
	points.RemoveIf(func(dp pmetric.SummaryDataPoint) bool {
		attributes := dp.Attributes()
		hash := r.meet(attributes, dp.Timestamp())
		if why := r.thinned(hash, attributes, dp.Timestamp()); why != stays {
			r.cut(why, hash, attributes, true)
			return true
		}
		t, keep := r.judge(hash, attributes, dp.Timestamp())
		if t != nil {
			r.folded(reasonUnmergeable)
		}
		return !keep
	})
	r.emit(func(*target) {})
}
