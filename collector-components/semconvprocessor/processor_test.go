// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// pipelines are one instance for each signal, with one configuration.
type pipelines struct {
	traces  processor.Traces
	metrics processor.Metrics
	logs    processor.Logs
	sink    struct {
		consumertest.TracesSink
		metrics consumertest.MetricsSink
		logs    consumertest.LogsSink
	}
	tel  *componenttest.Telemetry
	stop func()
}

func open(t testing.TB, cfg *Config) *pipelines {
	t.Helper()
	p := &pipelines{tel: componenttest.NewTelemetry()}
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = p.tel.NewTelemetrySettings()
	f := NewFactory()
	var err error
	fail := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	p.traces, err = f.CreateTraces(t.Context(), set, cfg, &p.sink.TracesSink)
	fail(err)
	p.metrics, err = f.CreateMetrics(t.Context(), set, cfg, &p.sink.metrics)
	fail(err)
	p.logs, err = f.CreateLogs(t.Context(), set, cfg, &p.sink.logs)
	fail(err)
	all := []component.Component{p.traces, p.metrics, p.logs}
	for _, c := range all {
		fail(c.Start(t.Context(), componenttest.NewNopHost()))
	}
	p.stop = sync.OnceFunc(func() {
		for _, c := range all {
			if err := c.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(func() {
		p.stop()
		p.tel.Shutdown(context.Background())
	})
	return p
}

func config(change func(*Config)) *Config {
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	return cfg
}

// span is a batch of one span of a service.
func span(service string, attributes map[string]any) ptrace.Traces {
	td := ptrace.NewTraces()
	r := td.ResourceSpans().AppendEmpty()
	if service != "" {
		r.Resource().Attributes().PutStr("service.name", service)
		r.Resource().Attributes().PutStr("service.instance.id", "1")
		r.Resource().Attributes().PutStr("service.version", "1")
	}
	s := r.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetName("GET /secret")
	s.SetKind(ptrace.SpanKindServer)
	if err := s.Attributes().FromRaw(attributes); err != nil {
		panic(err)
	}
	return td
}

// count returns what a counter or gauge says, by its attributes in order of name.
func (p *pipelines) count(t testing.TB, name string) map[string]int64 {
	t.Helper()
	m, err := p.tel.GetMetric(name)
	if err != nil {
		return nil
	}
	out := make(map[string]int64)
	add := func(set attribute.Set, n int64) {
		var parts []string
		for _, kv := range set.ToSlice() {
			parts = append(parts, kv.Value.String())
		}
		out[strings.Join(parts, " ")] += n
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, p.Value)
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, p.Value)
		}
	}
	return out
}

func TestFindingsAreCountedByServiceLevelAndKind(t *testing.T) {
	p := open(t, config(nil))
	for range 3 {
		if err := p.traces.ConsumeTraces(t.Context(), span("shop", map[string]any{"http.method": "GET", "shop.x": 1})); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.traces.ConsumeTraces(t.Context(), span("", nil)); err != nil {
		t.Fatal(err)
	}
	got := p.count(t, semconv.CollectorSemconvFindings)
	for what, n := range map[string]int64{ // in the order of the names: id, level, otelcol.signal, service
		"deprecated violation traces shop": 3, "missing_attribute violation traces shop": 3,
		"required_attribute_not_present violation traces unknown_service": 1, "recommended_attribute_not_present improvement traces unknown_service": 2,
	} {
		if got[what] != n {
			t.Errorf("%q is %d, expected %d: %v", what, got[what], n, got)
		}
	}
	if items := p.count(t, semconv.CollectorSemconvItems); items["violation traces"] != 3 || items["none traces"] != 1 {
		t.Errorf("items are %v, expected three with a violation and one without a finding", items)
	}
	if seen := p.count(t, semconv.CollectorSemconvSeenEntries); seen["attribute"] != 3 {
		t.Errorf("seen are %v, expected the three attributes of the resource: what is deprecated does not count", seen)
	}
	if entries := p.count(t, semconv.CollectorSemconvEntries); entries["attribute"] < 600 || entries["metric"] < 300 || entries["event"] != 1 {
		t.Errorf("entries are %v", entries)
	}
	if p.sink.SpanCount() != 4 {
		t.Errorf("%d spans passed, expected all four", p.sink.SpanCount())
	}
}

func TestServicesBeyondTheBoundAreCountedAsOne(t *testing.T) {
	p := open(t, config(func(c *Config) { c.MaxServices, c.MaxFindings = 2, 3 }))
	for i := range 5 {
		p.traces.ConsumeTraces(t.Context(), span(fmt.Sprint("s", i), map[string]any{"http.method": "GET", "http.url": "u"}))
	}
	got := p.count(t, semconv.CollectorSemconvFindings)
	if got["deprecated violation traces s0"] != 2 || got["deprecated violation traces s1"] != 2 || got["deprecated violation traces _other"] != 6 {
		t.Errorf("findings are %v, expected two of s0, two of s1 and six of _other", got)
	}
	// The table has room for both findings of s0 and one of s1's.
	if over := p.count(t, semconv.CollectorSemconvOverflow); over["traces"] != 7 {
		t.Errorf("overflow is %v, expected 7 of ten", over)
	}
}

func TestInstancesOfOneConfigurationShareAState(t *testing.T) {
	before := states.Len()
	p := open(t, config(nil))
	if states.Len() != before+1 {
		t.Errorf("%d states for three instances, expected one", states.Len()-before)
	}
	other := open(t, config(func(c *Config) { c.MaxFindings = 7 }))
	if states.Len() != before+2 {
		t.Errorf("%d states for two configurations, expected two", states.Len()-before)
	}
	p.stop()
	other.stop()
	if states.Len() != before {
		t.Errorf("%d states are left", states.Len()-before)
	}
}

func TestOnlyAnEnforcingInstanceMutates(t *testing.T) {
	if p := open(t, config(nil)); p.traces.Capabilities().MutatesData || p.metrics.Capabilities().MutatesData || p.logs.Capabilities().MutatesData {
		t.Error("an instance that reports only says that it mutates")
	}
	p := open(t, config(func(c *Config) { c.Enforce = map[string]string{"deprecated": "rename"} }))
	if !p.traces.Capabilities().MutatesData || !p.metrics.Capabilities().MutatesData || !p.logs.Capabilities().MutatesData {
		t.Error("an enforcing instance says that it does not mutate")
	}
}

func TestABatchThatIsOthersTooIsNotTouched(t *testing.T) {
	p := open(t, config(nil))
	td, md, ld := traces(1, 100), metricsOf(1, 100), logsOf(1, 100)
	td.MarkReadOnly()
	md.MarkReadOnly()
	ld.MarkReadOnly()
	if err := p.traces.ConsumeTraces(t.Context(), td); err != nil { // a change would panic
		t.Error(err)
	}
	if err := p.metrics.ConsumeMetrics(t.Context(), md); err != nil {
		t.Error(err)
	}
	if err := p.logs.ConsumeLogs(t.Context(), ld); err != nil {
		t.Error(err)
	}
}

func TestBeforeStartAndAfterShutdownTelemetryPasses(t *testing.T) {
	set := processortest.NewNopSettings(metadata.Type)
	cfg := config(func(c *Config) { c.Enforce = map[string]string{"deprecated": "drop_item"} })
	p, err := newProcessor(set, cfg, "traces")
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		td, err := p.traces(t.Context(), span("s", map[string]any{"http.method": "GET"}))
		md, err2 := p.metrics(t.Context(), metricsOf(1, 5))
		ld, err3 := p.logs(t.Context(), logsOf(1, 5))
		if err != nil || err2 != nil || err3 != nil || td.SpanCount() != 1 || md.DataPointCount() != 5 || ld.LogRecordCount() != 5 {
			t.Errorf("%d spans, %d points and %d records passed", td.SpanCount(), md.DataPointCount(), ld.LogRecordCount())
		}
	}
	check()
	if err := p.start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		check()
	}
}

// Items of many kinds: clean, deprecated, unknown, of a wrong type.
var samples = []map[string]any{
	{"http.request.method": "GET", "url.path": "/", "url.scheme": "https"},
	{"http.method": "GET"}, {"shop.x": 1, "http.route": "/"}, {"http.response.status_code": "200"}, {"orderId": "1"}, {},
}

func traces(seed uint64, n int) ptrace.Traces {
	r := rand.New(rand.NewPCG(seed, 1))
	td := ptrace.NewTraces()
	for range n {
		if td.ResourceSpans().Len() == 0 || r.IntN(4) == 0 {
			s := td.ResourceSpans().AppendEmpty()
			if r.IntN(4) > 0 {
				s.Resource().Attributes().PutStr("service.name", fmt.Sprint(r.IntN(3)))
			}
			scope := s.ScopeSpans().AppendEmpty().Scope()
			if r.IntN(4) == 0 {
				scope.Attributes().PutStr("thing.x", "1")
			}
		}
		span := td.ResourceSpans().At(td.ResourceSpans().Len() - 1).ScopeSpans().At(0).Spans().AppendEmpty()
		span.Attributes().FromRaw(samples[r.IntN(len(samples))])
	}
	return td
}

func metricsOf(seed uint64, n int) pmetric.Metrics {
	r := rand.New(rand.NewPCG(seed, 2))
	md := pmetric.NewMetrics()
	for md.DataPointCount() < n {
		s := md.ResourceMetrics().AppendEmpty()
		if r.IntN(4) > 0 {
			s.Resource().Attributes().PutStr("service.name", fmt.Sprint(r.IntN(3)))
		}
		scope := s.ScopeMetrics().AppendEmpty()
		if r.IntN(4) == 0 {
			scope.Scope().Attributes().PutStr("thing.x", "1")
		}
		m := scope.Metrics().AppendEmpty()
		m.SetName([]string{"http.server.request.duration", "unknown.metric", "badName"}[r.IntN(3)])
		for range min(1+r.IntN(4), n-md.DataPointCount()) {
			attributes := samples[r.IntN(len(samples))]
			switch r.IntN(2) + 2*int(m.Type()) {
			case 0:
				m.SetEmptyGauge()
			case 1:
				m.SetEmptyHistogram()
			}
			switch m.Type() {
			case pmetric.MetricTypeGauge:
				m.Gauge().DataPoints().AppendEmpty().Attributes().FromRaw(attributes)
			case pmetric.MetricTypeHistogram:
				m.Histogram().DataPoints().AppendEmpty().Attributes().FromRaw(attributes)
			}
		}
	}
	return md
}

func logsOf(seed uint64, n int) plog.Logs {
	r := rand.New(rand.NewPCG(seed, 3))
	ld := plog.NewLogs()
	for range n {
		if ld.ResourceLogs().Len() == 0 || r.IntN(4) == 0 {
			s := ld.ResourceLogs().AppendEmpty()
			if r.IntN(4) > 0 {
				s.Resource().Attributes().PutStr("service.name", fmt.Sprint(r.IntN(3)))
			}
			if scope := s.ScopeLogs().AppendEmpty().Scope(); r.IntN(4) == 0 {
				scope.Attributes().PutStr("thing.x", "1")
			}
		}
		l := ld.ResourceLogs().At(ld.ResourceLogs().Len() - 1).ScopeLogs().At(0).LogRecords().AppendEmpty()
		l.Attributes().FromRaw(samples[r.IntN(len(samples))])
		l.SetEventName([]string{"", "exception", "unknown.event"}[r.IntN(3)])
	}
	return ld
}

func TestWhatComesInGoesOutOrIsCountedAsDropped(t *testing.T) {
	for name, enforce := range map[string]map[string]string{
		"items":             {"type_mismatch": "drop_item", "missing_event": "drop_item", "deprecated": "rename"},
		"metrics":           {"missing_metric": "drop_item", "invalid_format": "drop_item"},
		"resources":         {"required_attribute_not_present": "drop_item"},
		"unknown, anywhere": {"missing_attribute": "drop_item"},
		"everything": {"required_attribute_not_present": "drop_item", "missing_attribute": "drop_item", "type_mismatch": "drop_item", "deprecated": "drop_item",
			"missing_metric": "drop_item", "missing_event": "drop_item"},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, config(func(c *Config) { c.Enforce = enforce }))
			in := map[string]int64{}
			for seed := range uint64(40) {
				td, md, ld := traces(seed, 20), metricsOf(seed, 20), logsOf(seed, 20)
				in["traces"] += int64(td.SpanCount())
				in["metrics"] += int64(md.DataPointCount())
				in["logs"] += int64(ld.LogRecordCount())
				for _, err := range []error{p.traces.ConsumeTraces(t.Context(), td), p.metrics.ConsumeMetrics(t.Context(), md), p.logs.ConsumeLogs(t.Context(), ld)} {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			dropped, checked := map[string]int64{}, map[string]int64{}
			last := func(s string) string { f := strings.Fields(s); return f[len(f)-1] }
			for by, n := range p.count(t, semconv.CollectorSemconvDropped) {
				dropped[last(by)] += n
			}
			for by, n := range p.count(t, semconv.CollectorSemconvItems) {
				checked[last(by)] += n
			}
			out := map[string]int64{"traces": int64(p.sink.SpanCount()), "metrics": int64(p.sink.metrics.DataPointCount()), "logs": int64(p.sink.logs.LogRecordCount())}
			for signal := range in {
				if in[signal] != out[signal]+dropped[signal] || checked[signal] != in[signal] {
					t.Errorf("%s: %d in, %d out, %d dropped, %d checked", signal, in[signal], out[signal], dropped[signal], checked[signal])
				}
			}
			if dropped["traces"]+dropped["metrics"]+dropped["logs"] == 0 {
				t.Error("nothing was dropped: this tests nothing")
			}
			for _, td := range p.sink.AllTraces() {
				for _, r := range td.ResourceSpans().All() {
					if r.ScopeSpans().Len() == 0 || r.ScopeSpans().At(0).Spans().Len() == 0 {
						t.Error("an empty resource or scope is left")
					}
				}
			}
		})
	}
}

func TestADeprecatedAttributeIsRenamedAndCounted(t *testing.T) {
	p := open(t, config(func(c *Config) { c.Enforce = map[string]string{"deprecated": "rename"} }))
	p.traces.ConsumeTraces(t.Context(), span("s", map[string]any{"http.method": "GET", "http.status_code": 200, "net.peer.name": "x"}))
	got := p.sink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().AsRaw()
	want := map[string]any{"http.request.method": "GET", "http.response.status_code": int64(200), "client.address": "x"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("attributes are %v, expected %v", got, want)
	}
	if n := p.count(t, semconv.CollectorSemconvEnforced); n["rename deprecated traces done"] != 3 {
		t.Errorf("enforced is %v, expected three renamed", n)
	}
}

func TestManyPipelinesAtOnce(t *testing.T) {
	p := open(t, config(nil))
	var wg sync.WaitGroup
	for i := range uint64(4) {
		wg.Go(func() {
			for seed := range uint64(20) {
				p.traces.ConsumeTraces(t.Context(), traces(seed+i, 20))
				p.metrics.ConsumeMetrics(t.Context(), metricsOf(seed+i, 20))
				p.logs.ConsumeLogs(t.Context(), logsOf(seed+i, 20))
			}
		})
	}
	wg.Wait()
	var n int64
	for _, m := range p.count(t, semconv.CollectorSemconvItems) {
		n += m
	}
	if n != 3*4*20*20 {
		t.Errorf("%d items were counted, expected %d", n, 3*4*20*20)
	}
}

func TestAcceptedTelemetryArrivesBeforeShutdownReturns(t *testing.T) {
	processortest.VerifyShutdown(t, NewFactory(), createDefaultConfig())
}

func TestConfiguration(t *testing.T) {
	if err := config(nil).Validate(); err != nil {
		t.Errorf("the default is not valid: %v", err)
	}
	for says, change := range map[string]func(*Config){
		"enforce":      func(c *Config) { c.Enforce = map[string]string{"x": "annotate"} },
		"interval":     func(c *Config) { c.Interval = time.Millisecond },
		"event_level":  func(c *Config) { c.EventLevel = "loud" },
		"is off":       func(c *Config) { c.EventLevel = "off" },
		"max_findings": func(c *Config) { c.MaxFindings = 0 },
		"max_services": func(c *Config) { c.MaxServices = 1 << 20 },
	} {
		if err := config(change).Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, expected one with %q", err, says)
		}
	}
	set := processortest.NewNopSettings(metadata.Type)
	bad := config(func(c *Config) { c.Enforce = map[string]string{"x": "annotate"} })
	_, err1 := NewFactory().CreateTraces(t.Context(), set, bad, consumertest.NewNop())
	_, err2 := NewFactory().CreateMetrics(t.Context(), set, bad, consumertest.NewNop())
	_, err3 := NewFactory().CreateLogs(t.Context(), set, bad, consumertest.NewNop())
	if slices.Contains([]error{err1, err2, err3}, nil) {
		t.Errorf("an instance was made of a configuration that is not valid: %v, %v, %v", err1, err2, err3)
	}
}
