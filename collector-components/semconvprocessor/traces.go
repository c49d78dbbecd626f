// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// traces checks spans. Whatever becomes empty because all of it was dropped goes
// too.
func (p *semconvProcessor) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	b := p.begin(ctx, false)
	if b == nil {
		return td, nil
	}
	defer b.end()
	span := func(s ptrace.Span) bool { return b.dropped(b.Span(s), 1) }
	scope := func(s ptrace.ScopeSpans) bool {
		if why := b.Scope(s.Scope().Attributes(), finding.Span); why != finding.None {
			return b.dropAll(why, s.Spans().Len())
		}
		before := s.Spans().Len()
		each(b, s.Spans(), span)
		return before > 0 && s.Spans().Len() == 0
	}
	each(b, td.ResourceSpans(), func(r ptrace.ResourceSpans) bool {
		defer b.merge()
		if why := b.resource(r.Resource()); why != finding.None {
			n := 0
			for _, s := range r.ScopeSpans().All() {
				n += s.Spans().Len()
			}
			return b.dropAll(why, n)
		}
		before := r.ScopeSpans().Len()
		each(b, r.ScopeSpans(), scope)
		return before > 0 && r.ScopeSpans().Len() == 0
	})
	if b.total > 0 && td.ResourceSpans().Len() == 0 {
		return td, processorhelper.ErrSkipProcessingData
	}
	return td, nil
}
