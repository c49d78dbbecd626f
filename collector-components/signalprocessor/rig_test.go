// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/endpoint"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// rig is a processor whose etcd is away and whose directory is the test's.
type rig struct {
	*signalProcessor
	t   testing.TB
	tel *componenttest.Telemetry
}

type directory map[string][]discovery.Member

func (d directory) Services() []string                        { return slices.Sorted(maps.Keys(d)) }
func (d directory) Members(service string) []discovery.Member { return d[service] }

func announced(id, address string) discovery.Member {
	return discovery.Member{Instance: discovery.Instance{
		ID: id, Zone: "z1", Labels: map[string]string{"variant": "blue"},
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: address}},
	}}
}

// shop is who is announced.
var shop = directory{
	"orders":    {announced("o1", "10.0.0.1:8080"), announced("o2", "10.0.0.2:8080")},
	"inventory": {announced("i1", "10.0.1.1:80")},
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	cfg := defaultConfig()
	cfg.Etcd.Endpoints = []string{"http://127.0.0.1:1"}
	if change != nil {
		change(cfg)
	}
	r := &rig{t: t, tel: componenttest.NewTelemetry()}
	set := processortest.NewNopSettings(Type)
	set.ID = component.NewIDWithName(Type, t.Name()) // its engine is its own
	set.TelemetrySettings = r.tel.NewTelemetrySettings()
	var err error
	if r.signalProcessor, err = newProcessor(set, cfg); err != nil {
		t.Fatal(err)
	}
	if err := r.start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		_ = r.tel.Shutdown(context.Background())
	})
	x := endpoint.New(shop)
	r.engine.index.Store(x)
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	r.engine.aggregate.Announce(x)
	return r
}

// send sends metrics as a principal.
func (r *rig) send(principal string, md pmetric.Metrics) {
	r.t.Helper()
	if _, err := r.metrics(from(r.t.Context(), principal), md); err != nil && !errors.Is(err, processorhelper.ErrSkipProcessingData) {
		r.t.Errorf("%v: signals are no reason to refuse telemetry", err)
	}
}

func (r *rig) sendSpans(principal string, td ptrace.Traces) {
	r.t.Helper()
	if _, err := r.traces(from(r.t.Context(), principal), td); err != nil {
		r.t.Error(err)
	}
}

// fleet returns what readers would know a second from now, after the wire.
func (r *rig) fleet(service string) *signal.Fleet {
	r.t.Helper()
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	r.engine.aggregate.Look(r.engine.now())
	now := r.engine.now() + time.Second
	var shares []*signal.Share
	for shards := uint32(1); shards <= 8; shards *= 2 {
		for i := range shards {
			share, _ := r.engine.aggregate.Share(now, aggregate.Work{Service: service, Shard: i, Shards: shards})
			if share == nil {
				continue
			}
			share.Collector = "c"
			decoded, err := signal.Decode(signal.Encode(share))
			if err != nil {
				r.t.Fatalf("what is written cannot be read: %v", err)
			}
			shares = append(shares, decoded)
		}
	}
	return signal.Merge(shares)
}

// window returns what is known of an instance over 60 s, empty when nothing is.
func (r *rig) window(service, instance string, seconds uint32) signal.Window {
	r.t.Helper()
	if s := r.fleet(service).Instances[instance]; s != nil {
		if w := s.Window(seconds); w != nil {
			return *w
		}
	}
	return signal.Window{}
}

// want checks how many measurements of a source came to an end.
func (r *rig) want(source, reason string, want int64) {
	r.t.Helper()
	m, err := r.tel.GetMetric("otelcol_processor_signal_measurements")
	if err != nil {
		r.t.Fatal(err)
	}
	got := int64(0)
	for _, dp := range m.Data.(metricdata.Sum[int64]).DataPoints {
		s, _ := dp.Attributes.Value("source")
		if v, _ := dp.Attributes.Value("reason"); s.AsString() == source && v.AsString() == reason {
			got += dp.Value
		}
	}
	if got != want {
		r.t.Errorf("%d of source %s were counted as %s, want %d", got, source, reason, want)
	}
}

// metricOf makes metrics of one resource with one metric, of a service's instance.
func metricOf(service, name, unit string, fill func(pmetric.Metric)) pmetric.Metrics {
	md := pmetric.NewMetrics()
	addMetric(md, service, name, unit, fill)
	return md
}

func addMetric(md pmetric.Metrics, service, name, unit string, fill func(pmetric.Metric)) {
	if md.ResourceMetrics().Len() == 0 {
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", service)
		rm.Resource().Attributes().PutStr("service.instance.id", "o1")
		rm.ScopeMetrics().AppendEmpty().Scope().SetName("some instrumentation")
	}
	m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	fill(m)
}

type attributes map[string]any

func (a attributes) to(m pcommon.Map) { _ = m.FromRaw(a) }

func (a attributes) and(name string, value any) attributes {
	b := maps.Clone(a)
	b[name] = value
	return b
}

// toOrders are the attributes of a call to o1.
var toOrders = attributes{
	"http.request.method": "GET", "server.address": "10.0.0.1", "server.port": 8080, "http.response.status_code": 200,
}

// began is when the tests did: a sender's clock.
var began = time.Now()

// at is a time of that clock, so many seconds later.
func at(seconds int) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(began.Add(time.Duration(seconds) * time.Second))
}

// explicit fills a histogram with one point, of one bucket.
func explicit(temporality pmetric.AggregationTemporality, start, end int, count uint64, sum float64, a attributes) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		dp := h.DataPoints().AppendEmpty()
		dp.SetStartTimestamp(at(start))
		dp.SetTimestamp(at(end))
		dp.SetCount(count)
		dp.SetSum(sum)
		dp.BucketCounts().FromRaw([]uint64{count})
		a.to(dp.Attributes())
	}
}

// exponential fills an exponential histogram with one point, whose values are all within
// (1/128, 1/64] of the unit.
func exponential(temporality pmetric.AggregationTemporality, start, end int, count uint64, sum float64, a attributes) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(temporality)
		dp := h.DataPoints().AppendEmpty()
		dp.SetStartTimestamp(at(start))
		dp.SetTimestamp(at(end))
		dp.SetCount(count)
		dp.SetSum(sum)
		dp.SetScale(0)
		dp.Positive().SetOffset(-7)
		dp.Positive().BucketCounts().FromRaw([]uint64{count})
		a.to(dp.Attributes())
	}
}

// counter fills a monotonic sum with one point for each value.
func counter(temporality pmetric.AggregationTemporality, start, end int, values map[string]float64) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		s := m.SetEmptySum()
		s.SetIsMonotonic(true)
		s.SetAggregationTemporality(temporality)
		for mode, v := range values {
			dp := s.DataPoints().AppendEmpty()
			dp.SetStartTimestamp(at(start))
			dp.SetTimestamp(at(end))
			dp.SetDoubleValue(v)
			dp.Attributes().PutStr("cpu.mode", mode)
		}
	}
}

// kept is the id of a trace whose randomness every threshold lets through.
var kept = pcommon.TraceID{8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff}

// span makes a client span that ended now.
func span(took time.Duration, a attributes, change ...func(ptrace.Span)) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "storefront")
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetKind(ptrace.SpanKindClient)
	end := time.Now()
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-took)))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	s.SetTraceID(kept)
	s.SetSpanID(pcommon.SpanID{1, 2, 3})
	a.to(s.Attributes())
	for _, f := range change {
		f(s)
	}
	return td
}

const (
	delta      = pmetric.AggregationTemporalityDelta
	cumulative = pmetric.AggregationTemporalityCumulative
)
