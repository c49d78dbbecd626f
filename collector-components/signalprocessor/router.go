// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"errors"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// routed reads a metric of the routers' scope, and reports whether it is one of theirs.
func (b *batch) routed(m pmetric.Metric) bool {
	switch m.Name() {
	case semconv.RouteDuration:
		b.durations(m)
	case semconv.RouteEjections:
		b.ejections(m)
	default:
		return false
	}
	b.kept = true
	return true
}

// durations reads the histogram of attempts.
func (b *batch) durations(m pmetric.Metric) {
	count := &b.counts[fromRouter]
	if m.Type() != pmetric.MetricTypeExponentialHistogram {
		count[badForm]++
		return
	}
	h := m.ExponentialHistogram()
	switch {
	case b.sender.principal == "":
		count[unauthenticated] += int64(h.DataPoints().Len())
		return
	case h.AggregationTemporality() != pmetric.AggregationTemporalityDelta:
		count[badForm] += int64(h.DataPoints().Len())
		return
	}
	for _, dp := range h.DataPoints().All() {
		if dp.Count() == 0 {
			continue
		}
		target, route, ok := targetOf(dp.Attributes())
		outcome, known := outcomes[text(dp.Attributes(), semconv.RouteOutcome)]
		switch {
		case !ok:
			count[badName]++
		case !known:
			count[badForm]++
		default:
			at := attempt{caller: b.caller, target: target, measurement: aggregate.Measurement{Outcome: outcome, Route: route, Count: dp.Count(), Sum: dp.Sum()}}
			if r := b.exponential(&at, dp, 1); r != taken {
				count[r]++
				continue
			}
			b.attempts = append(b.attempts, at)
		}
	}
}

// exponential reads the buckets of a point into an attempt whose count and sum are known.
// The unit is in seconds; buckets of other units are left out, for theirs are not ours.
func (b *batch) exponential(at *attempt, dp pmetric.ExponentialHistogramDataPoint, unit float64) reason {
	m := &at.measurement
	at.first, at.last = len(b.buckets), len(b.buckets)
	if !plausible(m.Count, m.Sum) {
		return absurd
	}
	if dp.Negative().BucketCounts().Len() > 0 || dp.Scale() < -10 || dp.Scale() > 20 {
		return badForm // OpenTelemetry's own bounds of the scale
	}
	counts := dp.Positive().BucketCounts()
	offset := dp.Positive().Offset()
	if offset < -1<<30 || offset > 1<<30 || counts.Len() > maxBuckets {
		return badForm
	}
	if dp.ZeroCount() > maxCount {
		return absurd
	}
	least, greatest, sum := -1, -1, dp.ZeroCount() // no addend is above maxCount: it cannot wrap
	for i := range counts.Len() {
		n := counts.At(i)
		if n > maxCount {
			return absurd
		}
		if sum += n; n > 0 {
			greatest = i
			if least < 0 {
				least = i
			}
		}
	}
	switch {
	case sum != m.Count:
		return badForm
	case unit != 1:
		return taken
	case greatest < 0:
		m.Zero = sum
		return taken
	case !within(m.Count, m.Sum, dp.Scale(), offset+int32(least), offset+int32(greatest), dp.ZeroCount() > 0):
		return absurd
	}
	m.Zero, m.Scale, m.Offset = dp.ZeroCount(), dp.Scale(), offset+int32(least)
	for i := least; i <= greatest; i++ {
		b.buckets = append(b.buckets, counts.At(i))
	}
	at.last = len(b.buckets)
	return taken
}

// maxBuckets is what an SDK sends at most, with room.
const maxBuckets = 1024

var outcomes = map[string]aggregate.Outcome{
	semconv.OutcomeOK: aggregate.OK, semconv.OutcomeError: aggregate.Error, semconv.OutcomeTimeout: aggregate.Timeout,
	semconv.OutcomeRefused: aggregate.Refused, semconv.OutcomeCancelled: aggregate.Cancelled,
}

// ejections reads the counter of local ejections.
func (b *batch) ejections(m pmetric.Metric) {
	count := &b.counts[fromRouter]
	if m.Type() != pmetric.MetricTypeSum {
		count[badForm]++
		return
	}
	sum := m.Sum()
	switch {
	case b.sender.principal == "":
		count[unauthenticated] += int64(sum.DataPoints().Len())
		return
	case sum.AggregationTemporality() != pmetric.AggregationTemporalityDelta:
		count[badForm] += int64(sum.DataPoints().Len())
		return
	}
	for _, dp := range sum.DataPoints().All() {
		if target, _, ok := targetOf(dp.Attributes()); !ok {
			count[badName]++
		} else if dp.IntValue() > 0 {
			b.ejected = append(b.ejected, ejection{b.caller, target})
		}
	}
}

// maxLabel bounds variant and zone.
const maxLabel = 64

// targetOf returns the instance that was called, and the route that led to it.
func targetOf(attributes pcommon.Map) (t aggregate.Target, route string, ok bool) {
	for name, v := range attributes.All() {
		if v.Type() != pcommon.ValueTypeStr {
			continue
		}
		switch name {
		case semconv.RouteService:
			t.Service = v.Str()
		case semconv.RouteInstance:
			t.Instance = v.Str()
		case semconv.RouteVariant:
			t.Variant = v.Str()
		case semconv.RouteZone:
			t.Zone = v.Str()
		case semconv.RouteRoute:
			route = v.Str()
		}
	}
	err := errors.Join(coord.CheckName("service", t.Service), coord.CheckName("instance", t.Instance))
	if route != "" {
		err = errors.Join(err, coord.CheckName("route", route))
	}
	return t, route, err == nil && len(t.Variant) <= maxLabel && len(t.Zone) <= maxLabel
}
