// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"fmt"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/metadatatest"
)

func TestPipelinesRunAtTheSameTimeWhileBudgetsChange(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer tel.Shutdown(t.Context())
	cfg := defaultConfig()
	cfg.Budgets.Defaults = Limits{SpansPerSecond: of(100.), LogBytesPerSecond: of(1000.), DataPointsPerSecond: of(1000.), Series: of(50), ValuesPerLabel: of(30)}
	cfg.Budgets.Tenants = map[string]Limits{"acme": {SpansPerSecond: of(150.), Series: of(80)}}
	p := start(t, cfg, metadatatest.NewSettings(tel))
	defer p.stop(t)
	l, giveBack, err := take(cfg, metadatatest.NewSettings(tel))
	if err != nil {
		t.Fatal(err)
	}
	defer giveBack()
	const workers, rounds = 4, 50
	var traces [workers][rounds]func()
	items := 0
	for w := range workers {
		for r := range rounds {
			name := fmt.Sprint("service-", (w+r)%3)
			td, md, ld := traceOf(name, 50, ""), metricsOf(name, 40, 7*r), logsOf(name, 30, 50, w%2 == 0)
			items += 120
			traces[w][r] = func() {
				_ = p.traces.ConsumeTraces(from("acme"), td)
				_ = p.metrics.ConsumeMetrics(from("acme"), md)
				_ = p.logs.ConsumeLogs(from("acme"), ld)
			}
		}
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for _, send := range traces[w] {
				send()
			}
		})
	}
	wg.Go(func() {
		for i := range rounds {
			now := *l.budgets.Load()
			now.Defaults.SpansPerSecond = of(float64(100 + i))
			l.budgets.Store(&now)
			l.forget()
			l.standings(10)
		}
	})
	wg.Wait()
	counted := sums(t, tel, "otelcol_processor_budget_items", "outcome")
	if sum := counted["kept"] + counted["dropped"] + counted["folded"]; sum != int64(items) {
		t.Errorf("%d items came in, the counters say %v", items, counted)
	}
}
