// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// What only observes must not so much as ask to remove nothing: the data may be another
// pipeline's too.

func (p *place) observeTraces(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			p.enter(rs.Resource(), ss.Scope())
			for _, s := range ss.Spans().All() {
				p.span.Span = s
				p.observe(&p.span)
			}
		}
	}
}

func (p *place) observeLogs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			p.enter(rl.Resource(), sl.Scope())
			for _, r := range sl.LogRecords().All() {
				p.record.LogRecord = r
				p.observe(&p.record)
			}
		}
	}
}

func (p *place) observeMetrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			p.enter(rm.Resource(), sm.Scope())
			for _, m := range sm.Metrics().All() {
				p.metric.Metric = m
				p.observe(&p.metric)
			}
		}
	}
}

// observe counts what the observe rules match.
func (p *place) observe(it item) {
	if p.ctx.Err() != nil {
		return
	}
	p.show(it)
	if p.book.quick && p.screening.missesAll(p.book.asked) {
		return
	}
	p.ask(observe)
	for _, r := range p.found[observe] {
		p.report.act(observe, r.name, reasonRule)
	}
}
