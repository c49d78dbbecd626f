// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord/signal"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// maxSkew is how far a time may be from the collector's clock. It orders nothing: it keeps
// out what waited in a queue for so long that it tells of another time, and clocks that are
// plainly wrong.
const maxSkew = 5 * time.Minute

// timely reports whether a time of a sender's clock can be now; 0 is not known.
func (b *batch) timely(unixNano int64) bool {
	if unixNano == 0 {
		return true
	}
	return unixNano >= b.wall-int64(maxSkew) && unixNano <= b.wall+int64(maxSkew)
}

// spans reads the client spans of calls over HTTP and RPC; others say nothing of an
// instance.
func (b *batch) spans(spans ptrace.SpanSlice) {
	count := &b.counts[fromSpans]
	for i := range spans.Len() {
		s := spans.At(i)
		if s.Kind() != ptrace.SpanKindClient {
			continue
		}
		c := &b.call
		c.read(s.Attributes())
		if !c.http && !c.rpc {
			continue
		}
		if b.sender.principal == "" {
			count[unauthenticated]++
			continue
		}
		in := c.callee(b)
		if in == nil {
			count[unknownAddress]++
			continue
		}
		start, end := int64(s.StartTimestamp()), int64(s.EndTimestamp())
		took := time.Duration(end - start)
		if start <= 0 || end < start || took > maxLatency*time.Second || !b.timely(end) {
			count[badClock]++
			continue
		}
		n, ok := adjusted(s.TraceState().AsRaw(), s.TraceID(), s.SpanID())
		if !ok {
			count[absurd]++
			continue
		}
		outcome := c.outcome()
		if outcome == aggregate.OK && c.status == 0 && c.rpcCode == "" && c.grpcCode < 0 && s.Status().Code() == ptrace.StatusCodeError {
			outcome = aggregate.Error
		}
		b.calls = append(b.calls, aggregate.Span{
			Caller: b.caller, Known: in, Outcome: outcome, Bucket: signal.Bucket(took.Seconds()), Count: n, Sum: took.Seconds() * float64(n),
		})
	}
}
