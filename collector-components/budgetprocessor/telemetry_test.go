// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/metadatatest"
	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// sums returns the points of a counter by the values of some attributes.
func sums(t *testing.T, tel *componenttest.Telemetry, name string, by ...string) map[string]int64 {
	t.Helper()
	m, err := tel.GetMetric(name)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]int64)
	add := func(points []metricdata.DataPoint[int64]) {
		for _, dp := range points {
			var key []string
			for _, name := range by {
				v, _ := dp.Attributes.Value(attribute.Key(name))
				key = append(key, v.AsString())
			}
			out[strings.Join(key, " ")] += dp.Value
		}
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		add(data.DataPoints)
	case metricdata.Gauge[int64]:
		add(data.DataPoints)
	}
	return out
}

func TestEverythingThatComesInIsAccountedForToTheItemAndTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := componenttest.NewTelemetry()
		defer tel.Shutdown(t.Context())
		cfg := defaultConfig()
		cfg.Budgets.Defaults = Limits{
			SpansPerSecond: of(300.), LogBytesPerSecond: of(20_000.), DataPointsPerSecond: of(400.),
			Series: of(200), SeriesPerMetric: of(150), ValuesPerLabel: of(60),
		}
		cfg.Budgets.Tenants = map[string]Limits{"acme": {SpansPerSecond: of(400.), Series: of(150)}}
		p := start(t, cfg, metadatatest.NewSettings(tel))
		var in, bytes struct{ traces, metrics, logs int }
		round := 0
		during(30*time.Second, func() {
			round++
			for i := range 3 {
				name := fmt.Sprint("service-", i)
				td, md, ld := traceOf(name, 40, ""), metricsOf(name, 60, 10*round), logsOf(name, 50, 60, i == 1)
				in.traces += td.SpanCount()
				in.metrics += md.DataPointCount()
				in.logs += ld.LogRecordCount()
				bytes.traces += (&ptrace.ProtoMarshaler{}).TracesSize(td)
				bytes.metrics += (&pmetric.ProtoMarshaler{}).MetricsSize(md)
				bytes.logs += (&plog.ProtoMarshaler{}).LogsSize(ld)
				_ = p.traces.ConsumeTraces(from("acme"), td)
				_ = p.metrics.ConsumeMetrics(from("acme"), md)
				_ = p.logs.ConsumeLogs(from("acme"), ld)
			}
		})
		items := sums(t, tel, "otelcol_processor_budget_items", "otelcol.signal", "outcome")
		for signal, want := range map[string][2]int{ // in, out
			"traces":  {in.traces, p.gotTraces.SpanCount()},
			"metrics": {in.metrics, p.gotMetrics.DataPointCount()},
			"logs":    {in.logs, p.gotLogs.LogRecordCount()},
		} {
			kept, dropped, folded, added := items[signal+" kept"], items[signal+" dropped"], items[signal+" folded"], items[signal+" added"]
			if kept+dropped+folded != int64(want[0]) || kept+added != int64(want[1]) || dropped == 0 {
				t.Errorf("%s: %d came in and %d went out, the counters say kept %d, dropped %d, folded %d, added %d", signal, want[0], want[1], kept, dropped, folded, added)
			}
		}
		var out struct{ traces, metrics, logs int }
		for _, td := range p.gotTraces.AllTraces() {
			out.traces += (&ptrace.ProtoMarshaler{}).TracesSize(td)
		}
		for _, md := range p.gotMetrics.AllMetrics() {
			out.metrics += (&pmetric.ProtoMarshaler{}).MetricsSize(md)
		}
		for _, ld := range p.gotLogs.AllLogs() {
			out.logs += (&plog.ProtoMarshaler{}).LogsSize(ld)
		}
		got := sums(t, tel, "otelcol_processor_budget_bytes", "otelcol.signal", "direction")
		for name, want := range map[string]int{
			"traces in": bytes.traces, "metrics in": bytes.metrics, "logs in": bytes.logs,
			"traces out": out.traces, "metrics out": out.metrics, "logs out": out.logs,
		} {
			if got[name] != int64(want) {
				t.Errorf("%s: %d bytes are counted, the encoded batches are %d", name, got[name], want)
			}
		}
		reasons := sums(t, tel, "otelcol_processor_budget_items", "outcome", "reason")
		for _, want := range []string{"dropped budget", "dropped tenant", "folded label", "folded tenant"} {
			if reasons[want] == 0 {
				t.Errorf("nothing was %s: %v", want, reasons)
			}
		}
		memory, limit := sums(t, tel, "otelcol_processor_budget_memory")[""], sums(t, tel, "otelcol_processor_budget_memory_limit")[""]
		t.Logf("%d of %d bytes for 3 services with %v", memory, limit, items)
		if memory <= 0 || memory > limit || limit != 256<<20+int64(2*cfg.MaxServices+1)*accountSize {
			t.Errorf("%d of %d bytes are taken", memory, limit)
		}
		if offenders := sums(t, tel, "otelcol_processor_budget_offenders", "metric", "label"); offenders["requests user"] == 0 || offenders["requests "] == 0 {
			t.Errorf("the offenders are %v", offenders)
		}
		if n := sums(t, tel, "otelcol_processor_budget_services")[""]; n != 3 {
			t.Errorf("%d services", n)
		}
		m, err := tel.GetMetric("otelcol_processor_budget_used")
		if err != nil || len(m.Data.(metricdata.Gauge[float64]).DataPoints) != 3*4+2 {
			t.Errorf("%v: %+v", err, m)
		}
		p.stop(t)
	})
}

func TestWarningsExcessesAndTheirEndAreEvents(t *testing.T) {
	events := coordtest.Events(t)
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.Budgets.Defaults = Limits{SpansPerSecond: of(100.), Series: of(100)}
		p := start(t, cfg, metadatatest.NewSettings(componenttest.NewTelemetry()))
		defer p.stop(t)
		expect := func(event, kind string, want int) {
			t.Helper()
			if got := events.Count(event, kind); got != want {
				t.Errorf("after %v: %d events %s of %s, expected %d", time.Now(), got, event, kind, want)
			}
		}
		send := func(spans, series int) {
			_ = p.traces.ConsumeTraces(t.Context(), traceOf("orders", spans, ""))
			_ = p.metrics.ConsumeMetrics(t.Context(), metricsOf("orders", series, 0))
		}
		during(5*time.Minute, func() { send(9, 85) })
		expect(semconv.EventBudgetWarn, "spans", 1)
		expect(semconv.EventBudgetWarn, "series", 1)
		expect(semconv.EventBudgetExceed, "spans", 0)
		during(time.Minute, func() { send(50, 120) })
		expect(semconv.EventBudgetExceed, "spans", 1)
		expect(semconv.EventBudgetExceed, "series", 1)
		expect(semconv.EventBudgetExceed, "requests{user}=100", 0) // it is in a list
		during(3*time.Minute, func() { send(1, 1) })
		expect(semconv.EventBudgetEnd, "spans", 1)
		expect(semconv.EventBudgetEnd, "series", 1)
	})
}

func TestEventsAreBounded(t *testing.T) {
	events := coordtest.Events(t)
	synctest.Test(t, func(t *testing.T) {
		tel := componenttest.NewTelemetry()
		defer tel.Shutdown(t.Context())
		cfg := defaultConfig()
		cfg.Budgets.Defaults = Limits{SpansPerSecond: of(10.)}
		p := start(t, cfg, metadatatest.NewSettings(tel))
		defer p.stop(t)
		during(2*time.Second, func() {
			for i := range 500 {
				_ = p.traces.ConsumeTraces(t.Context(), traceOf(fmt.Sprint("service-", i), 50, ""))
			}
		})
		told := int64(events.Count(semconv.EventBudgetExceed, "spans"))
		suppressed := sums(t, tel, "otelcol_processor_budget_events_suppressed")[""]
		if told > eventBurst+3*eventRate || told+suppressed < 500 {
			t.Errorf("%d events and %d suppressed, for 500 services over their budgets", told, suppressed)
		}
		if n := len(sums(t, tel, "otelcol_processor_budget_items", "service")); n > maxNamed+maxPromoted+1 {
			t.Errorf("%d services in the metrics", n)
		}
	})
}

func TestAChangedDocumentIsInForceWithoutARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("defaults: {spans_per_second: 5}\nservices: {orders: {spans_per_second: 100000}}")
	cfg := defaultConfig()
	cfg.Document = &document.Config{File: path}
	cfg.Budgets.Defaults.Series = of(7) // which the document leaves out
	l, err := open(cfg, metadatatest.NewSettings(componenttest.NewTelemetry()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	td := traceOf("orders", 100, "")
	a := l.account("", td.ResourceSpans().At(0).Resource())
	if f := l.limits(&a.holder); f.of[spans] != 100_000 || f.of[seriesCount] != 7 {
		t.Errorf("%v are in force", f.of)
	}
	write("defaults: {spans_per_second: 5}")
	coordtest.Eventually(t, 20*time.Second, func() bool { return l.limits(&a.holder).of[spans] == 5 }, "the changed document")
	if left := l.spans(a, td.ResourceSpans().At(0)); left == 100 {
		t.Error("nothing was cut")
	}
	write("defaults: {spans_per_second: -5}")
	write("defaults: {spans_per_second: 50}")
	coordtest.Eventually(t, 20*time.Second, func() bool { return l.limits(&a.holder).of[spans] == 50 }, "the next good document")
	cfg2 := *cfg
	cfg2.Document = &document.Config{File: path + ".missing"}
	if _, err := open(&cfg2, metadatatest.NewSettings(componenttest.NewTelemetry())); err == nil {
		t.Error("a document that is not there should be an error at the start")
	}
}
