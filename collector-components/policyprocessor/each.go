// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// What only looks at items must not so much as ask to remove nothing: the data may be another
// pipeline's too.

func (p *place) eachSpan(td ptrace.Traces, f func(item)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			p.enter(rs.Resource(), ss.Scope())
			for _, s := range ss.Spans().All() {
				p.span.Span = s
				f(&p.span)
			}
		}
	}
}

func (p *place) eachRecord(ld plog.Logs, f func(item)) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			p.enter(rl.Resource(), sl.Scope())
			for _, r := range sl.LogRecords().All() {
				p.record.LogRecord = r
				f(&p.record)
			}
		}
	}
}

func (p *place) eachMetric(md pmetric.Metrics, f func(item)) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			p.enter(rm.Resource(), sm.Scope())
			for _, m := range sm.Metrics().All() {
				p.metric.Metric = m
				f(&p.metric)
			}
		}
	}
}
