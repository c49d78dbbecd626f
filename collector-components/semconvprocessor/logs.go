// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// logs checks log records.
func (p *semconvProcessor) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	b := p.begin(ctx, false)
	if b == nil {
		return ld, nil
	}
	defer b.end()
	record := func(l plog.LogRecord) bool { return b.dropped(b.Log(l), 1) }
	scope := func(s plog.ScopeLogs) bool {
		if why := b.Scope(s.Scope().Attributes(), finding.Log); why != finding.None {
			return b.dropAll(why, s.LogRecords().Len())
		}
		before := s.LogRecords().Len()
		each(b, s.LogRecords(), record)
		return before > 0 && s.LogRecords().Len() == 0
	}
	each(b, ld.ResourceLogs(), func(r plog.ResourceLogs) bool {
		defer b.merge()
		if why := b.resource(r.Resource()); why != finding.None {
			n := 0
			for _, s := range r.ScopeLogs().All() {
				n += s.LogRecords().Len()
			}
			return b.dropAll(why, n)
		}
		before := r.ScopeLogs().Len()
		each(b, r.ScopeLogs(), scope)
		return before > 0 && r.ScopeLogs().Len() == 0
	})
	if b.total > 0 && ld.ResourceLogs().Len() == 0 {
		return ld, processorhelper.ErrSkipProcessingData
	}
	return ld, nil
}
