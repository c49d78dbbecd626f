// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
)

func of[T any](v T) *T { return &v }

// pipelines are the processors of three pipelines with one configuration.
type pipelines struct {
	traces  processor.Traces
	metrics processor.Metrics
	logs    processor.Logs

	gotTraces  consumertest.TracesSink
	gotMetrics consumertest.MetricsSink
	gotLogs    consumertest.LogsSink
}

func start(t *testing.T, cfg *Config, set processor.Settings) *pipelines {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	f, p := NewFactory(), &pipelines{}
	var errs [3]error
	p.traces, errs[0] = f.CreateTraces(t.Context(), set, cfg, &p.gotTraces)
	p.metrics, errs[1] = f.CreateMetrics(t.Context(), set, cfg, &p.gotMetrics)
	p.logs, errs[2] = f.CreateLogs(t.Context(), set, cfg, &p.gotLogs)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	host := componenttest.NewNopHost()
	for _, err := range []error{p.traces.Start(t.Context(), host), p.metrics.Start(t.Context(), host), p.logs.Start(t.Context(), host)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *pipelines) stop(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	for _, err := range []error{p.traces.Shutdown(ctx), p.metrics.Shutdown(ctx), p.logs.Shutdown(ctx)} {
		if err != nil {
			t.Error(err)
		}
	}
}

// sender is what the receiver's authenticator says of a tenant.
type sender string

func (s sender) GetAttribute(name string) any {
	if name == semconv.SenderTenant {
		return string(s)
	}
	return nil
}

func (sender) GetAttributeNames() []string { return []string{semconv.SenderTenant} }

// from returns the context of a tenant's request.
func from(tenant string) context.Context {
	return client.NewContext(context.Background(), client.Info{Auth: sender(tenant)})
}

var random = rand.New(rand.NewPCG(1, 2))

// traceOf returns spans of traces of five, of one service.
func traceOf(service string, spans int, state string) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", service)
	ss := rs.ScopeSpans().AppendEmpty()
	var id pcommon.TraceID
	for i := range spans {
		if i%5 == 0 {
			binary.BigEndian.PutUint64(id[:8], random.Uint64())
			binary.BigEndian.PutUint64(id[8:], random.Uint64())
		}
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(id)
		s.SetSpanID(pcommon.SpanID{byte(i), byte(i >> 8), 1})
		s.SetName("GET /orders/{id}")
		s.TraceState().FromRaw(state)
		s.Attributes().PutStr("http.request.method", "GET")
	}
	return td
}

func logsOf(service string, records, size int, inTraces bool) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", service)
	sl := rl.ScopeLogs().AppendEmpty()
	for range records {
		lr := sl.LogRecords().AppendEmpty()
		lr.Body().SetStr(strings.Repeat("x", 1+random.IntN(2*size)))
		if inTraces {
			var id pcommon.TraceID
			binary.BigEndian.PutUint64(id[8:], random.Uint64())
			lr.SetTraceID(id)
		}
	}
	return ld
}

func metricsOf(service string, points, first int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", service)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("requests")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range points {
		dp := sum.DataPoints().AppendEmpty()
		dp.SetIntValue(1)
		dp.Attributes().PutInt("user", int64(first+i))
	}
	return md
}

// service names a resource's.
func service(r pcommon.Resource) string {
	v, _ := r.Attributes().Get("service.name")
	return v.Str()
}

// during runs a function ten times a second of the test's clock.
func during(length time.Duration, each func()) {
	for end := time.Now().Add(length); time.Now().Before(end); {
		each()
		time.Sleep(100 * time.Millisecond)
	}
}

func TestAServiceAtTenTimesItsBudgetIsCutToWithin5PercentOver60SecondsAndOthersAreNotTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Defaults = Limits{SpansPerSecond: of(200.), LogBytesPerSecond: of(20_000.), DataPointsPerSecond: of(200.)}
		p := start(t, cfg, processortest.NewNopSettings(typ))
		defer p.stop(t)
		sent := map[string]int{}
		send := func(name string, n int) {
			sent[name] += n
			for _, err := range []error{
				p.traces.ConsumeTraces(t.Context(), traceOf(name, n, "")),
				p.logs.ConsumeLogs(t.Context(), logsOf(name, n, 100, n%4 == 0)),
				p.metrics.ConsumeMetrics(t.Context(), metricsOf(name, n, 0)),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		during(20*time.Second, func() { send("noisy", 10); send("quiet", 10) })
		p.gotTraces.Reset()
		p.gotMetrics.Reset()
		p.gotLogs.Reset()
		clear(sent)
		during(60*time.Second, func() { send("noisy", 200); send("quiet", 10) })

		spans, stood, points, bytes := map[string]float64{}, 0.0, map[string]float64{}, map[string]float64{}
		whole := make(map[pcommon.TraceID]int)
		for _, td := range p.gotTraces.AllTraces() {
			for _, rs := range td.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, s := range ss.Spans().All() {
						spans[service(rs.Resource())]++
						if service(rs.Resource()) == "noisy" {
							whole[s.TraceID()]++
							stood += 1 / came(s)
						} else if s.TraceState().AsRaw() != "" {
							t.Fatalf("a span of a service within its budget has the tracestate %q", s.TraceState().AsRaw())
						}
					}
				}
			}
		}
		for id, n := range whole {
			if n != 5 {
				t.Fatalf("%d of the 5 spans of trace %v are left", n, id)
			}
		}
		for _, md := range p.gotMetrics.AllMetrics() {
			points[service(md.ResourceMetrics().At(0).Resource())] += float64(md.DataPointCount())
		}
		for _, ld := range p.gotLogs.AllLogs() {
			bytes[service(ld.ResourceLogs().At(0).Resource())] += float64((&plog.ProtoMarshaler{}).LogsSize(ld))
		}
		for name, ratio := range map[string]float64{
			"spans": spans["noisy"] / (60 * 200), "log bytes": bytes["noisy"] / (60 * 20_000), "data points": points["noisy"] / (60 * 200),
		} {
			t.Logf("%s: %.1f %% of the budget in 60 s", name, 100*ratio)
			if math.Abs(ratio-1) > 0.05 {
				t.Errorf("%s: %.3f of the budget, expected 1 within 0.05", name, ratio)
			}
		}
		t.Logf("the thresholds say %.0f of %d spans", stood, sent["noisy"])
		if math.Abs(stood/float64(sent["noisy"])-1) > 0.1 {
			t.Errorf("the spans stand for %.0f by their thresholds, expected %d", stood, sent["noisy"])
		}
		if n := float64(sent["quiet"]); spans["quiet"] != n || points["quiet"] != n {
			t.Errorf("%v spans and %v points are left of %v of a service within its budget", spans["quiet"], points["quiet"], n)
		}
	})
}

func TestASecondBudgetBehindTheFirstCutsNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Defaults.SpansPerSecond = of(200.)
		first := start(t, cfg, processortest.NewNopSettings(typ))
		defer first.stop(t)
		behind := *cfg
		behind.MaxServices-- // another configuration, and so a ledger of its own
		second := start(t, &behind, processortest.NewNopSettings(typ))
		defer second.stop(t)
		during(60*time.Second, func() {
			first.gotTraces.Reset()
			if err := first.traces.ConsumeTraces(t.Context(), traceOf("orders", 200, "")); err != nil {
				t.Fatal(err)
			}
			for _, td := range first.gotTraces.AllTraces() {
				if err := second.traces.ConsumeTraces(t.Context(), td); err != nil {
					t.Fatal(err)
				}
			}
		})
		if got := float64(second.gotTraces.SpanCount()) / (60 * 200); math.Abs(got-1) > 0.07 {
			t.Errorf("%.3f of the budget is left behind the second, expected 1", got)
		}
	})
}

func TestATenantsBudgetIsSharedAndAServiceThatIsOverItsOwnDoesNotCostTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Services = map[string]Limits{"acme/noisy": {SpansPerSecond: of(100.)}}
		cfg.Budgets.Tenants = map[string]Limits{"acme": {SpansPerSecond: of(300.)}}
		p := start(t, cfg, processortest.NewNopSettings(typ))
		defer p.stop(t)
		send := func(tenant, name string, n int) {
			if err := p.traces.ConsumeTraces(from(tenant), traceOf(name, n, "")); err != nil {
				t.Fatal(err)
			}
		}
		count := func() map[string]float64 {
			out := make(map[string]float64)
			for _, td := range p.gotTraces.AllTraces() {
				out[service(td.ResourceSpans().At(0).Resource())] += float64(td.SpanCount())
			}
			p.gotTraces.Reset()
			return out
		}
		during(60*time.Second, func() { send("acme", "noisy", 200); send("acme", "quiet", 15); send("other", "noisy", 100) })
		got := count()
		if ratio := got["noisy"]/60 - 1000; math.Abs(ratio/100-1) > 0.07 {
			t.Errorf("%.0f spans a second of the noisy service are left, expected 100 beside the 1000 of the other tenant", ratio)
		}
		if got["quiet"] != 60*150 {
			t.Errorf("%.0f of 9000 spans of the quiet service are left, expected all: together they are within the tenant's budget", got["quiet"])
		}
		during(20*time.Second, func() { send("acme", "noisy", 200); send("acme", "quiet", 100) })
		count()
		during(60*time.Second, func() { send("acme", "noisy", 200); send("acme", "quiet", 100) })
		got = count()
		if sum := (got["noisy"] + got["quiet"]) / (60 * 300); math.Abs(sum-1) > 0.05 {
			t.Errorf("%.3f of the tenant's budget is used, expected 1: %v", sum, got)
		}
	})
}

func TestSpansThatCameSampledAreCutTogetherWithOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Defaults.SpansPerSecond = of(500.)
		p := start(t, cfg, processortest.NewNopSettings(typ))
		defer p.stop(t)
		threshold := tracestate.Threshold(0.25)
		sent := 0.0
		during(60*time.Second, func() {
			td := traceOf("orders", 400, "")
			sampled := traceOf("orders", 400, "vendor=1")
			sample(sampled.ResourceSpans().At(0), threshold) // a quarter is left
			sampled.ResourceSpans().At(0).ScopeSpans().At(0).MoveTo(td.ResourceSpans().At(0).ScopeSpans().AppendEmpty())
			sent += 800
			if err := p.traces.ConsumeTraces(t.Context(), td); err != nil {
				t.Fatal(err)
			}
		})
		stood := 0.0
		for _, td := range p.gotTraces.AllTraces() {
			for _, ss := range td.ResourceSpans().At(0).ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					stood += 1 / came(s)
				}
			}
		}
		if kept := float64(p.gotTraces.SpanCount()) / (60 * 500); math.Abs(kept-1) > 0.05 {
			t.Errorf("%.3f of the budget is kept", kept)
		}
		if math.Abs(stood/sent-1) > 0.1 {
			t.Errorf("the spans stand for %.0f, expected %.0f", stood, sent)
		}
	})
}

func TestWhoClaimsToHaveSampledStrictlyIsCutAsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Defaults.SpansPerSecond = of(200.)
		p := start(t, cfg, processortest.NewNopSettings(typ))
		defer p.stop(t)
		during(60*time.Second, func() {
			if err := p.traces.ConsumeTraces(t.Context(), traceOf("orders", 200, "ot=th:ffffffffff")); err != nil {
				t.Fatal(err)
			}
		})
		if got := float64(p.gotTraces.SpanCount()) / (60 * 200); math.Abs(got-1) > 0.06 {
			t.Errorf("%.3f of the budget is kept", got)
		}
	})
}

func TestWhatWasAcceptedIsPassedOnBeforeShutdown(t *testing.T) {
	processortest.VerifyShutdown(t, NewFactory(), NewFactory().CreateDefaultConfig())
}

func TestThreePipelinesShareOneLedgerAndGiveItBack(t *testing.T) {
	p := start(t, defaultConfig(), processortest.NewNopSettings(typ))
	if ledgers.Len() != 1 {
		t.Errorf("%d ledgers, expected one", ledgers.Len())
	}
	p.stop(t)
	if ledgers.Len() != 0 {
		t.Errorf("%d ledgers are left", ledgers.Len())
	}
}

func TestConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"the default":                {func(*Config) {}, ""},
		"no window":                  {func(c *Config) { c.SeriesWindow = 0 }, "series_window"},
		"no burst":                   {func(c *Config) { c.Burst = 0 }, "burst"},
		"no memory":                  {func(c *Config) { c.MemoryMiB = 0 }, "memory_mib"},
		"no services":                {func(c *Config) { c.MaxServices = 0 }, "max_services"},
		"few folded":                 {func(c *Config) { c.FoldedSeries = 1 }, "folded_series"},
		"a fleet without etcd":       {func(c *Config) { c.Fleet = &FleetConfig{} }, "etcd"},
		"a fleet with a short lease": {func(c *Config) { c.Fleet = &FleetConfig{Lease: time.Second} }, "fleet.lease"},
		"a fleet without a name":     {func(c *Config) { c.Fleet = &FleetConfig{Name: "a/b", Collector: "c/d"} }, "fleet.name"},
	} {
		cfg := defaultConfig()
		test.change(cfg)
		err := cfg.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, expected it to name %q", name, err, test.want)
		}
	}
	for name, b := range map[string]Budgets{
		"defaults.spans_per_second":        {Defaults: Limits{SpansPerSecond: of(-1.)}},
		"services.a.log_bytes_per_second":  {Services: map[string]Limits{"a": {LogBytesPerSecond: of(math.NaN())}}},
		"tenants.t.data_points_per_second": {Tenants: map[string]Limits{"t": {DataPointsPerSecond: of(math.Inf(1))}}},
		"services.a.series":                {Services: map[string]Limits{"a": {Series: of(-1)}}},
		"tenants.t":                        {Tenants: map[string]Limits{"t": {ValuesPerLabel: of(1)}}},
	} {
		if err := b.Validate(); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("error is %v, expected it to name %s", err, name)
		}
	}
}

func TestTheExampleIsAConfigurationAndTheREADMEShowsIt(t *testing.T) {
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := conf.Sub(typ.String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := NewFactory().CreateDefaultConfig().(*Config)
	if err := errors.Join(sub.Unmarshal(cfg), cfg.Validate()); err != nil {
		t.Fatal(err)
	}
	same := *defaultConfig()
	same.Document, same.Budgets, same.Fleet = cfg.Document, cfg.Budgets, cfg.Fleet
	if *cfg.Budgets.Defaults.Series != 10_000 || cfg.Fleet.filled() != (FleetConfig{Lease: defaultLease}).filled() || !reflect.DeepEqual(*cfg, same) {
		t.Errorf("%+v differs from the defaults", cfg)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"testdata/config.yaml", "testdata/budgets.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(string(readme), line) {
				t.Errorf("README.md does not show %q of %s", line, file)
			}
		}
	}
}

func TestLimitsOfAServiceAreThoseNearestToIt(t *testing.T) {
	b := Budgets{
		Defaults: Limits{SpansPerSecond: of(1.), Series: of(10), SeriesPerMetric: of(5), ValuesPerLabel: of(3)},
		Services: map[string]Limits{"a": {SpansPerSecond: of(2.), LogBytesPerSecond: of(7.)}, "t/a": {SpansPerSecond: of(0.)}},
		Tenants:  map[string]Limits{"t": {Series: of(100)}},
	}
	for name, test := range map[string]struct {
		got  limits
		want [kinds]float64
	}{
		"the defaults":                 {b.service("", "b"), [kinds]float64{1, 0, 0, 10}},
		"those of the name":            {b.service("other", "a"), [kinds]float64{2, 7, 0, 10}},
		"those of the tenant's":        {b.service("t", "a"), [kinds]float64{0, 7, 0, 10}},
		"those of the tenant":          {b.tenant("t"), [kinds]float64{0, 0, 0, 100}},
		"those of nobody":              {b.tenant(""), [kinds]float64{}},
		"those of an unknown sender's": {b.tenant("x"), [kinds]float64{}},
	} {
		if test.got.of != test.want {
			t.Errorf("%s: %v, expected %v", name, test.got.of, test.want)
		}
	}
	if l := b.service("", "a"); l.seriesPerMetric != 5 || l.perLabel != 3 {
		t.Errorf("%+v", l)
	}
}

func TestServicesBeyondTheBoundAreOne(t *testing.T) {
	cfg := defaultConfig()
	cfg.MaxServices = 3
	l := newLedger(cfg)
	r := pcommon.NewResource()
	for i := range 10 {
		r.Attributes().PutStr("service.name", fmt.Sprint("service-", i))
		l.account("", r)
	}
	if len(l.accounts) != 4 || l.refused.Load() != 7 || l.accounts[[2]string{"", otherService}] == nil {
		t.Errorf("%d accounts, %d refused", len(l.accounts), l.refused.Load())
	}
	r.Attributes().PutStr("service.name", strings.Repeat("x", 1000))
	if a := l.account("", r); a.service != otherService {
		t.Errorf("a name of 1000 bytes is %q", a.service)
	}
	r.Attributes().Clear()
	if a := l.account("", r); a.service != otherService { // there is no room for it
		t.Errorf("no name is %q", a.service)
	}
}

func TestServicesThatSendNothingAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		l, err := open(cfg, processortest.NewNopSettings(typ))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		rm := metricsOf("orders", 100, 0).ResourceMetrics().At(0)
		l.points(l.account("acme", rm.Resource()), rm)
		if l.memory.Used() == 0 {
			t.Error("nothing is taken")
		}
		time.Sleep(time.Hour)
		if accounts, tenants := l.holders(); len(accounts)+len(tenants) > 0 || l.memory.Used() != 0 {
			t.Errorf("%d services, %d tenants, %d bytes are left", len(accounts), len(tenants), l.memory.Used())
		}
	})
}
