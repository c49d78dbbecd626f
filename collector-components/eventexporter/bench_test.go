// SPDX-License-Identifier: Apache-2.0

package eventexporter_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/otelplat/platform/collector-components/eventexporter"
	"github.com/otelplat/platform/collector-components/eventexporter/internal/metadata"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
)

// BenchmarkExporter stores requests on a NATS server in this process, which syncs each
// write to disk: most of it is that.
func BenchmarkExporter(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("events=%d", size), func(b *testing.B) {
			factory := eventexporter.NewFactory()
			cfg := factory.CreateDefaultConfig().(*eventexporter.Config)
			cfg.URL = natstest.NewServer(b).URL()
			e, err := factory.CreateLogs(b.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
			if err != nil {
				b.Fatal(err)
			}
			if err := e.Start(b.Context(), componenttest.NewNopHost()); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = e.Shutdown(context.Background()) })
			next := 0
			request := func() plog.Logs {
				ld := logs("orders", nil)
				records := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
				for records.Len() < size {
					records.At(0).CopyTo(records.AppendEmpty())
				}
				for _, r := range records.All() {
					next++
					r.Attributes().PutStr("cloudevents.event_id", strconv.Itoa(next))
				}
				return ld
			}
			for e.ConsumeLogs(b.Context(), request()) != nil { // until it is connected
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := e.ConsumeLogs(b.Context(), request()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/event")
		})
	}
}
