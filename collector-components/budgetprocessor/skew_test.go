// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/metadatatest"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestASenderThatChoosesTheRandomnessOfItsTracesIsHeldToItsBudget(t *testing.T) {
	for name, state := range map[string]string{"trace ids": "", "rv": "ot=rv:ffffffffffffff", "th and rv": "ot=th:fffffffffffff;rv:ffffffffffffff"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tel := componenttest.NewTelemetry()
				defer tel.Shutdown(t.Context())
				cfg := defaultConfig()
				cfg.Budgets.Defaults = Limits{SpansPerSecond: of(200.), LogBytesPerSecond: of(20_000.)}
				p := start(t, cfg, metadatatest.NewSettings(tel))
				defer p.stop(t)
				n, sent := uint64(0), int64(0)
				next := func() (id pcommon.TraceID) {
					n++
					binary.BigEndian.PutUint64(id[:8], n)
					binary.BigEndian.PutUint64(id[8:], 1<<64-1-n%5)
					return id
				}
				send := func() {
					td, ld := traceOf("loud", 200, state), logsOf("loud", 200, 100, true)
					for _, s := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
						if state == "" {
							s.SetTraceID(next())
						}
					}
					for _, lr := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
						lr.SetTraceID(next())
					}
					sent += 400
					for _, err := range []error{p.traces.ConsumeTraces(t.Context(), td), p.logs.ConsumeLogs(t.Context(), ld)} {
						if err != nil {
							t.Fatal(err)
						}
					}
				}
				during(20*time.Second, send)
				before := p.gotTraces.SpanCount()
				p.gotLogs.Reset()
				during(60*time.Second, send)
				if got := float64(p.gotTraces.SpanCount()-before) / (60 * 200); got > 1.1 || got < 0.8 {
					t.Errorf("%.2f of the budget of spans passed", got)
				} else {
					t.Logf("%.2f of the budget of spans", got)
				}
				bytes := 0
				for _, ld := range p.gotLogs.AllLogs() {
					bytes += (&plog.ProtoMarshaler{}).LogsSize(ld)
				}
				if got := float64(bytes) / (60 * 20_000); got > 1.1 || got < 0.8 {
					t.Errorf("%.2f of the budget of log bytes passed", got)
				} else {
					t.Logf("%.2f of the budget of log bytes", got)
				}
				all := int64(0)
				reasons := sums(t, tel, "otelcol_processor_budget_items", "outcome", "reason")
				for _, n := range reasons {
					all += n
				}
				if reasons["dropped skewed"] == 0 || all != sent {
					t.Errorf("%d items were sent: %v", sent, reasons)
				}
			})
		})
	}
}
