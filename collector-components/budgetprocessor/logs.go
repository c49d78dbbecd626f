// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/size"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/volume"
	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// logs holds log records to their budgets.
func (p *budgets) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	tenant := senderTenant(ctx)
	had := ld.ResourceLogs().Len()
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		return p.ledger.records(p.ledger.account(tenant, rl.Resource()), rl) == 0
	})
	if had > 0 && ld.ResourceLogs().Len() == 0 {
		return ld, processorhelper.ErrSkipProcessingData
	}
	return ld, nil
}

// records cuts the log records of one resource to the budget of bytes, and returns how
// many are left.
func (l *ledger) records(a *account, rl plog.ResourceLogs) int {
	c := a.counts.Load()
	in := size.ResourceLogs(rl)
	c.in[signalLogs].Add(int64(in))
	all := 0
	for _, sl := range rl.ScopeLogs().All() {
		all += sl.LogRecords().Len()
	}
	var d volume.Demand
	d.Add(float64(in), 1)
	p, byTenant := l.ratio(a, logBytes, &d)
	left, out := all, in
	if p < 1 {
		left, out = a.thin(rl, p, in, all), 0
		if left > 0 {
			out = size.ResourceLogs(rl)
		}
		c.dropped(signalLogs, all-left, byTenant)
		if again := l.again(a, logBytes, d.Kept(p), float64(out)); again < 1 {
			passed := left
			left, out = thinAgain(rl, again), 0
			if left > 0 {
				out = size.ResourceLogs(rl)
			}
			c.items[signalLogs][droppedSkewed].Add(int64(passed - left))
		}
	}
	l.spend(a, logBytes, float64(out), float64(in-out), byTenant)
	c.items[signalLogs][kept].Add(int64(left))
	c.out[signalLogs].Add(int64(out))
	return left
}

// thin keeps a ratio of the bytes: of records in traces those whose trace is kept at
// it, of others as many as come to it. Each carries its part of the resource.
func (a *account) thin(rl plog.ResourceLogs, ratio float64, bytes, records int) (left int) {
	threshold := tracestate.Threshold(ratio)
	own := 0
	for _, sl := range rl.ScopeLogs().All() {
		for _, lr := range sl.LogRecords().All() {
			own += size.LogRecord(lr)
		}
	}
	part := float64(bytes-own) / float64(max(records, 1))
	g := &a.volume[logBytes]
	g.mu.Lock()
	defer g.mu.Unlock()
	rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
		sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool {
			if id := lr.TraceID(); !id.IsEmpty() {
				return tracestate.Randomness(id) < threshold
			}
			return !g.diffuser.Keep(float64(size.LogRecord(lr))+part, ratio)
		})
		left += sl.LogRecords().Len()
		return sl.LogRecords().Len() == 0
	})
	return left
}

// thinAgain keeps records in traces at a ratio, by a hash that no sender knows, and all
// others.
func thinAgain(rl plog.ResourceLogs, ratio float64) (left int) {
	rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
		sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool {
			id := lr.TraceID()
			return !id.IsEmpty() && !volume.Chosen(id, ratio)
		})
		left += sl.LogRecords().Len()
		return sl.LogRecords().Len() == 0
	})
	return left
}
