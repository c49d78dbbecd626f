// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"math"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/series"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/signal/capacity"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// reported reads a metric of a server's own scope, and reports whether it is one of those.
func (b *batch) reported(m pmetric.Metric) bool {
	b.report = &b.reportOf[aggregate.Router] // it goes before standard metrics
	r := b.report
	switch m.Name() {
	case semconv.ServerRequests:
		b.numbers(m, func(v, _ float64) { r.capacity.Completions += uint64(v) })
	case semconv.ServerTime:
		b.numbers(m, func(v, _ float64) { r.capacity.InRequests += v; r.capacity.Timed = true })
	case "process.cpu.time":
		b.cpuTime(semconv.ServerScope, m)
	case "go.processor.limit":
		b.processors(m)
	default:
		return false
	}
	b.kept = true
	return true
}

// served takes in what a server measured of itself.
func (b *batch) served(_ pcommon.Map, at *attempt) {
	r := b.report
	r.points++
	r.capacity.Completions += at.measurement.Count
	r.capacity.InRequests += at.measurement.Sum
	r.capacity.Timed = true
}

// cpuTime takes in CPU time. Its modes are points of their own.
func (b *batch) cpuTime(scope string, m pmetric.Metric) {
	r := &b.report.capacity
	b.sums(scope, m, func(v, covers float64) {
		r.CPU += v
		r.Covers = max(r.Covers, covers)
	})
}

// processors takes in how many CPUs the process may use.
func (b *batch) processors(m pmetric.Metric) {
	var points pmetric.NumberDataPointSlice
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
	default:
		return
	}
	for _, dp := range points.All() {
		if n := number(dp); n >= 1 && n <= capacity.MaxCPUs {
			b.report.capacity.Allocation = n
		}
	}
}

// numbers reads a counter with delta temporality.
func (b *batch) numbers(m pmetric.Metric, read func(value, covers float64)) {
	if m.Type() == pmetric.MetricTypeSum && m.Sum().AggregationTemporality() != pmetric.AggregationTemporalityDelta {
		b.counts[fromServer][badForm] += int64(m.Sum().DataPoints().Len())
		return
	}
	b.sums(semconv.ServerScope, m, read)
}

// sums reads a counter of what cannot be more than all CPUs, or all requests, can do.
func (b *batch) sums(scope string, m pmetric.Metric, read func(value, covers float64)) {
	count := &b.counts[fromServer]
	if m.Type() != pmetric.MetricTypeSum {
		count[badForm]++
		return
	}
	sum := m.Sum()
	formed := sum.IsMonotonic() && sum.AggregationTemporality() != pmetric.AggregationTemporalityUnspecified
	if r := b.refused(fromServer, formed); r != taken {
		count[r] += int64(sum.DataPoints().Len())
		return
	}
	for _, dp := range sum.DataPoints().All() {
		value := number(dp)
		covers := time.Duration(int64(dp.Timestamp()) - int64(dp.StartTimestamp()))
		switch {
		case dp.Flags().NoRecordedValue():
			continue
		case math.IsNaN(value) || math.IsInf(value, 0) || value < 0:
			count[absurd]++
			continue
		case !b.timely(int64(dp.Timestamp())):
			count[badClock]++
			continue
		}
		if sum.AggregationTemporality() == pmetric.AggregationTemporalityCumulative {
			v := series.Value{Start: int64(dp.StartTimestamp()), Time: int64(dp.Timestamp()), Sum: value}
			var r reason
			if covers, r = b.since(scope, m.Name(), dp.Attributes(), &v); r != taken {
				count[r]++
				continue
			}
			value = v.Sum
		}
		switch {
		case covers < 100*time.Millisecond || covers > time.Hour:
			count[badClock]++
		case m.Name() == "process.cpu.time" && value > capacity.MaxCPUs*covers.Seconds(),
			m.Name() == semconv.ServerRequests && value > maxCount, value > maxCount*maxLatency:
			count[absurd]++
		default:
			b.report.points++
			read(value, covers.Seconds())
		}
	}
}

func number(dp pmetric.NumberDataPoint) float64 {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(dp.IntValue())
	}
	return dp.DoubleValue()
}

// endResource takes the reports that a resource made of itself, the better first: what it
// says in both forms is not added up.
func (b *batch) endResource() {
	for source := range b.reportOf {
		r := &b.reportOf[source]
		if r.points == 0 {
			continue
		}
		r.source, r.caller, r.service = aggregate.Source(source), b.caller, b.service
		r.instance = text(b.attributes, "service.instance.id")
		if coord.CheckName("service", r.service) != nil || coord.CheckName("instance", r.instance) != nil {
			b.counts[fromServer][badName] += r.points
			continue
		}
		b.reports = append(b.reports, *r)
	}
}
