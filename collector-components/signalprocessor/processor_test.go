// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
)

// principal is what the authenticator puts into the context: "service:orders".
type principal string

func (p principal) GetAttribute(name string) any {
	if name == semconv.SenderPrincipal {
		return string(p)
	}
	return nil
}

func (principal) GetAttributeNames() []string { return []string{semconv.SenderPrincipal} }

func from(ctx context.Context, name string) context.Context {
	return client.NewContext(ctx, client.Info{Auth: principal(name)})
}

// measurements is what a router exports in a second.
func measurements(instance, outcome string, n uint64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(semconv.RouteScope)
	m := sm.Metrics().AppendEmpty()
	m.SetName(semconv.RouteDuration)
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	dp := h.DataPoints().AppendEmpty()
	dp.Attributes().PutStr(semconv.RouteService, "orders")
	dp.Attributes().PutStr(semconv.RouteInstance, instance)
	dp.Attributes().PutStr(semconv.RouteOutcome, outcome)
	dp.SetCount(n)
	dp.SetSum(float64(n) * 0.01)
	dp.SetScale(3)
	dp.Positive().SetOffset(-54)
	dp.Positive().BucketCounts().FromRaw([]uint64{n})
	return md
}

// withOther adds a metric of the service itself.
func withOther(md pmetric.Metrics) pmetric.Metrics {
	m := md.ResourceMetrics().At(0).ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("http.server.request.duration")
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	return md
}

type pipeline struct {
	processor.Metrics
	next *consumertest.MetricsSink
	tel  *componenttest.Telemetry
}

func start(t *testing.T, change func(*Config)) (*pipeline, signal.Follower) {
	t.Helper()
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	cfg := defaultConfig()
	cfg.Etcd = etcdconfig.Config{Endpoints: []string{server.Endpoint()}, Namespace: c.Namespace()}
	cfg.Collector, cfg.EjectionBase = "c1", 5*time.Second
	if change != nil {
		change(cfg)
	}
	tel := componenttest.NewTelemetry()
	set := processortest.NewNopSettings(Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	p := &pipeline{next: &consumertest.MetricsSink{}, tel: tel}
	var err error
	if p.Metrics, err = NewFactory().CreateMetrics(t.Context(), set, cfg, p.next); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		_ = tel.Shutdown(context.Background())
	})
	source := signal.Etcd(c)
	t.Cleanup(func() { source.Close() })
	f, err := source.Service(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return p, f
}

// counted returns the measurements that were counted for a reason.
func (p *pipeline) counted(t *testing.T, reason string) int64 {
	t.Helper()
	m, err := p.tel.GetMetric("otelcol_processor_signal_measurements")
	if err != nil {
		return 0
	}
	return sum(m, reason)
}

func TestMeasurementsBecomeSignals(t *testing.T) {
	p, f := start(t, nil)
	if err := p.ConsumeMetrics(from(t.Context(), "service:storefront"), withOther(measurements("orders-1", semconv.OutcomeError, 20))); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, 30*time.Second, func() bool {
		fleet := f.Fleet()
		return fleet != nil && fleet.Instances["orders-1"] != nil && fleet.Instances["orders-1"].Verdict.State == signal.Bad
	}, "the verdict is published")
	all := p.next.AllMetrics()
	if len(all) != 1 || all[0].MetricCount() != 1 || all[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Name() != "http.server.request.duration" {
		t.Errorf("%d batches passed: the service's own metrics should, the router's should not", len(all))
	}
	if n := p.counted(t, "taken"); n != 1 {
		t.Errorf("%d measurements were counted as taken", n)
	}
}

func TestABatchOfMeasurementsOnlyEndsHere(t *testing.T) {
	p, _ := start(t, nil)
	if err := p.ConsumeMetrics(from(t.Context(), "service:a"), measurements("i", semconv.OutcomeOK, 1)); err != nil {
		t.Fatal(err)
	}
	if n := len(p.next.AllMetrics()); n != 0 {
		t.Errorf("%d batches passed", n)
	}
}

func TestForwardedMeasurementsPass(t *testing.T) {
	p, _ := start(t, func(c *Config) { c.Forward = true })
	if err := p.ConsumeMetrics(from(t.Context(), "service:a"), measurements("i", semconv.OutcomeOK, 1)); err != nil {
		t.Fatal(err)
	}
	if n := p.next.DataPointCount(); n != 1 {
		t.Errorf("%d data points passed", n)
	}
}

func TestWhatIsNotTakenIsCounted(t *testing.T) {
	p, f := start(t, func(c *Config) { c.MaxInstances = 2 })
	ctx := from(t.Context(), "service:a")
	for reason, c := range map[string]struct {
		ctx context.Context
		md  pmetric.Metrics
	}{
		"unauthenticated": {t.Context(), measurements("i", semconv.OutcomeError, 20)},
		"name":            {ctx, measurements("../x", semconv.OutcomeError, 20)},
		"form":            {ctx, measurements("i", "exploded", 20)},
	} {
		if err := p.ConsumeMetrics(c.ctx, c.md); err != nil {
			t.Errorf("%s: %v: signals are no reason to refuse telemetry", reason, err)
		}
		if n := p.counted(t, reason); n != 1 {
			t.Errorf("%s: counted %d", reason, n)
		}
	}
	cumulative := measurements("i", semconv.OutcomeError, 20)
	cumulative.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).ExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	other := measurements("i", semconv.OutcomeError, 20)
	other.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().SetName("somebody else's")
	for _, md := range []pmetric.Metrics{cumulative, other} {
		if err := p.ConsumeMetrics(ctx, md); err != nil {
			t.Error(err)
		}
	}
	for _, i := range []string{"1", "2", "3"} {
		if err := p.ConsumeMetrics(ctx, measurements(i, semconv.OutcomeOK, 1)); err != nil {
			t.Error(err)
		}
	}
	if p.counted(t, "form") != 2 || p.counted(t, "full") != 1 || p.counted(t, "taken") != 2 {
		t.Errorf("form %d, full %d, taken %d; want 2, 1, 2", p.counted(t, "form"), p.counted(t, "full"), p.counted(t, "taken"))
	}
	if fleet := f.Fleet(); fleet != nil && fleet.Instances["i"] != nil {
		t.Error("a measurement that was refused is published")
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"a name that cannot be a key": func(c *Config) { c.Collector = "a/b" },
		"no ejection base":            func(c *Config) { c.EjectionBase = 0 },
		"room for nothing":            func(c *Config) { c.MaxInstances = 0 },
		"room for no newcomer":        func(c *Config) { c.MaxUnannounced = 0 },
		"room for no series":          func(c *Config) { c.MaxSeries = -1 },
		"too many agents":             func(c *Config) { c.Agents = make([]string, 1001) },
	} {
		cfg := defaultConfig()
		change(cfg)
		if cfg.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, c := range map[string]etcdconfig.Config{
		"no URL":     {Endpoints: []string{"localhost:2379"}},
		"half a key": {CertFile: "x"},
		"no key":     {Namespace: "a/b"},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := componenttest.CheckConfigStruct(NewFactory().CreateDefaultConfig()); err != nil {
		t.Error(err)
	}
	cfg := defaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestLifecycle(t *testing.T) {
	p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(Type), defaultConfig(), consumertest.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown without start: %v", err)
	}
	// Without etcd it starts all the same.
	for range 2 {
		if err := p.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		if err := p.ConsumeMetrics(from(t.Context(), "service:a"), measurements("i", semconv.OutcomeOK, 1)); err != nil {
			t.Error(err)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
