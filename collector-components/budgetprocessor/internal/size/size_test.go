// SPDX-License-Identifier: Apache-2.0

package size_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/size"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// words fills attributes with text of many lengths, numbers and lists.
func words(r *rand.Rand, m pcommon.Map) {
	for range r.IntN(12) {
		key := strings.Repeat("k", 1+r.IntN(40))
		switch r.IntN(4) {
		case 0:
			m.PutInt(key, r.Int64())
		case 1:
			m.PutEmptySlice(key).AppendEmpty().SetStr("x")
		default:
			m.PutStr(key, strings.Repeat("v", r.IntN(300)))
		}
	}
}

func TestBytesOfServicesAddUpToTheEncodedBatch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		td, md, ld := ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs()
		var spans, points, records int
		for range r.IntN(20) {
			rs := td.ResourceSpans().AppendEmpty()
			words(r, rs.Resource().Attributes())
			for range r.IntN(3) {
				ss := rs.ScopeSpans().AppendEmpty()
				words(r, ss.Scope().Attributes())
				for range r.IntN(30) {
					s := ss.Spans().AppendEmpty()
					s.SetName(strings.Repeat("n", r.IntN(200)))
					s.SetTraceID(pcommon.TraceID{1})
					words(r, s.Attributes())
					words(r, s.Events().AppendEmpty().Attributes())
				}
			}
			spans += size.ResourceSpans(rs)

			rm := md.ResourceMetrics().AppendEmpty()
			words(r, rm.Resource().Attributes())
			for range r.IntN(30) {
				dp := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptySum().DataPoints().AppendEmpty()
				dp.SetIntValue(r.Int64())
				words(r, dp.Attributes())
			}
			points += size.ResourceMetrics(rm)

			rl := ld.ResourceLogs().AppendEmpty()
			words(r, rl.Resource().Attributes())
			sl := rl.ScopeLogs().AppendEmpty()
			each := 0
			for range r.IntN(100) {
				lr := sl.LogRecords().AppendEmpty()
				lr.Body().SetStr(strings.Repeat("b", r.IntN(20_000)))
				words(r, lr.Attributes())
				each += size.LogRecord(lr)
			}
			whole := size.ResourceLogs(rl)
			sl.LogRecords().RemoveIf(func(plog.LogRecord) bool { return true })
			if rest := whole - each - size.ResourceLogs(rl); rest < 0 || rest > 12 { // the lengths of what encloses the records
				t.Fatalf("records are %d of %d bytes, of which %d are the resource's", each, whole, size.ResourceLogs(rl))
			}
			records += size.ResourceLogs(rl)
		}
		for name, got := range map[string][2]int{
			"traces":  {spans, (&ptrace.ProtoMarshaler{}).TracesSize(td)},
			"metrics": {points, (&pmetric.ProtoMarshaler{}).MetricsSize(md)},
			"logs":    {records, (&plog.ProtoMarshaler{}).LogsSize(ld)},
		} {
			if got[0] != got[1] {
				t.Fatalf("%s: the resources are %d bytes, the batch %d", name, got[0], got[1])
			}
		}
	}
}

func BenchmarkResourceSpans(b *testing.B) {
	rs := ptrace.NewTraces().ResourceSpans().AppendEmpty()
	ss := rs.ScopeSpans().AppendEmpty()
	const spans = 1000
	for range spans {
		s := ss.Spans().AppendEmpty()
		s.SetName("GET /orders/{id}")
		for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			s.Attributes().PutStr("http.request."+key, "a value of some length")
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		size.ResourceSpans(rs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans, "ns/span")
}
