// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"hash/maphash"
	"math"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/series"
	"github.com/otelplat/platform/coord/signal"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// standard reads the metrics of OpenTelemetry's conventions that say something of
// instances: of those that were called, and of the sender itself. They pass on.
func (b *batch) standard(scope string, m pmetric.Metric) {
	b.report = &b.reportOf[aggregate.Metrics]
	switch m.Name() {
	case "http.client.request.duration", "rpc.client.call.duration", "rpc.client.duration":
		b.histogram(fromMetrics, scope, m, b.called)
	case "http.server.request.duration", "rpc.server.call.duration", "rpc.server.duration":
		b.histogram(fromServer, scope, m, b.served)
	case "process.cpu.time":
		b.cpuTime(scope, m)
	case "go.processor.limit":
		b.processors(m)
	}
}

// histogram reads a histogram of durations, explicit or exponential, delta or cumulative,
// and hands each point on as what is new since the one before it.
func (b *batch) histogram(from source, scope string, m pmetric.Metric, read func(pcommon.Map, *attempt)) {
	unit, ok := units[m.Unit()]
	var temporality pmetric.AggregationTemporality
	points := 0
	switch m.Type() {
	case pmetric.MetricTypeExponentialHistogram:
		temporality, points = m.ExponentialHistogram().AggregationTemporality(), m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		temporality, points = m.Histogram().AggregationTemporality(), m.Histogram().DataPoints().Len()
	default:
		ok = false
	}
	if reason := b.refused(from, ok && temporality != pmetric.AggregationTemporalityUnspecified); reason != taken {
		b.counts[from][reason] += int64(max(points, 1))
		return
	}
	cumulative := temporality == pmetric.AggregationTemporalityCumulative
	for i := range points {
		at, p := &b.at, &b.point
		*at = attempt{}
		if m.Type() == pmetric.MetricTypeHistogram {
			dp := m.Histogram().DataPoints().At(i)
			*p = point{dp.Attributes(), dp.StartTimestamp(), dp.Timestamp(), dp.Flags(), dp.HasSum()}
			at.measurement.Count, at.measurement.Sum = dp.Count(), dp.Sum()*unit
			at.first, at.last = len(b.buckets), len(b.buckets)
		} else {
			dp := m.ExponentialHistogram().DataPoints().At(i)
			*p = point{dp.Attributes(), dp.StartTimestamp(), dp.Timestamp(), dp.Flags(), dp.HasSum()}
			at.measurement.Count, at.measurement.Sum = dp.Count(), dp.Sum()*unit
			if !cumulative && dp.Count() > 0 {
				if r := b.exponential(at, dp, unit); r != taken {
					b.counts[from][r]++
					continue
				}
			} else if cumulative && unit == 1 {
				at.measurement.Zero, at.first, at.last = dp.ZeroCount(), len(b.buckets), len(b.buckets)
				if !b.cumulativeBuckets(at, dp) {
					b.counts[from][badForm]++
					continue
				}
			}
		}
		b.news(from, scope, m.Name(), cumulative, read)
	}
}

// units are those that the conventions have for durations, in seconds.
var units = map[string]float64{"s": 1, "ms": 1e-3}

// cumulativeBuckets reads buckets whose counts are of all time.
func (b *batch) cumulativeBuckets(at *attempt, dp pmetric.ExponentialHistogramDataPoint) bool {
	counts, offset := dp.Positive().BucketCounts(), dp.Positive().Offset()
	if dp.Scale() < -10 || dp.Scale() > 20 || offset < -1<<30 || offset > 1<<30 || counts.Len() > maxBuckets {
		return false
	}
	at.measurement.Scale, at.measurement.Offset = dp.Scale(), offset
	for i := range counts.Len() {
		b.buckets = append(b.buckets, counts.At(i))
	}
	at.last = len(b.buckets)
	return true
}

// point is what all kinds of points have.
type point struct {
	attributes  pcommon.Map
	start, time pcommon.Timestamp
	flags       pmetric.DataPointFlags
	hasSum      bool
}

// news makes what is new of a point, and hands it on.
func (b *batch) news(from source, scope, name string, cumulative bool, read func(pcommon.Map, *attempt)) {
	p, at := &b.point, &b.at
	count, m := &b.counts[from], &at.measurement
	switch {
	case p.flags.NoRecordedValue():
		return
	case !p.hasSum || math.IsNaN(m.Sum) || math.IsInf(m.Sum, 0):
		count[absurd]++
		return
	case !b.timely(int64(p.time)):
		count[badClock]++
		return
	}
	covers := time.Duration(int64(p.time) - int64(p.start))
	if p.start == 0 || p.time == 0 {
		covers = time.Minute // it does not say; that is what SDKs do by default
	}
	if cumulative {
		v := series.Value{Start: int64(p.start), Time: int64(p.time), Count: m.Count, Sum: m.Sum}
		if at.last > at.first || m.Zero > 0 {
			v.Latency = b.latency(at)
		}
		var r reason
		if covers, r = b.since(scope, name, p.attributes, &v); r != taken {
			count[r]++
			if r == baseline {
				m.Count, m.Sum, m.Covers = 0, 0, 0
				read(p.attributes, at)
			}
			return
		}
		m.Count, m.Sum, m.Zero, at.last = v.Count, v.Sum, 0, at.first
		if v.Latency != nil {
			m.Scale, m.Offset, at.first = signal.Scale, v.Latency.Offset, len(b.buckets)
			b.buckets = append(b.buckets, v.Latency.Counts...)
			if at.last = len(b.buckets); !sumTo(v.Latency.Counts, m.Count) {
				at.last = at.first // an SDK made its buckets coarser, or somebody lies: no latencies this time
			}
		}
	}
	switch {
	case covers < 0 || covers > time.Hour:
		count[badClock]++
		return
	case !plausible(m.Count, m.Sum):
		count[absurd]++
		return
	}
	m.Covers = covers
	read(p.attributes, at)
}

// sumTo reports whether buckets hold so many together.
func sumTo(buckets []uint64, count uint64) bool {
	for _, n := range buckets {
		if n > count {
			return false
		}
		count -= n
	}
	return count == 0
}

// latency makes a histogram of an attempt's buckets.
func (b *batch) latency(at *attempt) *signal.Histogram {
	h := &signal.Histogram{Sum: at.measurement.Sum}
	h.AddBucket(math.MinInt32, signal.Scale, at.measurement.Zero)
	for i, n := range b.buckets[at.first:at.last] {
		h.AddBucket(at.measurement.Offset+int32(i), at.measurement.Scale, n)
	}
	return h
}

// since makes a cumulative value what is new since its series' last.
func (b *batch) since(scope, name string, attributes pcommon.Map, v *series.Value) (time.Duration, reason) {
	e := b.engine
	if b.resourceHash == 0 {
		b.resourceHash = e.hash(b.attributes) ^ b.sender.hash | 1
	}
	key := b.resourceHash*31 + maphash.String(e.seed, scope)*17 + maphash.String(e.seed, name) + e.hash(attributes)
	e.seriesMu.Lock()
	covers, outcome := e.series.Take(b.now, b.caller, key, v)
	e.seriesMu.Unlock()
	switch outcome {
	case series.First:
		return 0, baseline
	case series.Full:
		return 0, full
	case series.Stale:
		return 0, badClock
	}
	return covers, taken
}

// hash hashes attributes, in whatever order they come. Its seed is the process's, so that
// nobody can make two series of others one.
func (e *engine) hash(attributes pcommon.Map) (sum uint64) {
	for name, v := range attributes.All() {
		h := maphash.String(e.seed, name)
		switch v.Type() {
		case pcommon.ValueTypeStr:
			h ^= maphash.String(e.seed, v.Str()) * 0x9e3779b97f4a7c15
		case pcommon.ValueTypeInt:
			h ^= maphash.Comparable(e.seed, v.Int()) * 0x9e3779b97f4a7c15
		default:
			h ^= maphash.String(e.seed, v.AsString()) * 0x9e3779b97f4a7c15
		}
		h ^= h >> 29
		sum += h * 0xbf58476d1ce4e5b9
	}
	return sum
}

// refused says why nothing of a metric is read.
func (b *batch) refused(from source, formed bool) reason {
	switch {
	case b.sender.principal == "":
		return unauthenticated
	case !formed:
		return badForm
	case from == fromServer && !b.own:
		return foreign
	}
	return taken
}

// called takes in what a client measured of an instance.
func (b *batch) called(attributes pcommon.Map, at *attempt) {
	b.call.read(attributes)
	in := b.call.callee(b)
	if in == nil {
		b.counts[fromMetrics][unknownAddress]++
		return
	}
	at.caller, at.measurement.Source = b.caller, aggregate.Metrics
	if at.measurement.Count == 0 {
		b.heard = append(b.heard, heard{b.caller, in.Service, at.measurement})
		return
	}
	at.target = aggregate.Target{Service: in.Service, Instance: in.ID, Variant: in.Variant, Zone: in.Zone}
	at.measurement.Outcome = b.call.outcome()
	b.attempts = append(b.attempts, *at)
}
