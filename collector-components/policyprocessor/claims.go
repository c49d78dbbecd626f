// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

// claims removes the resources that their sender may not send, or with reject
// refuses the request that holds one.
type claims struct {
	gate            *gate
	telemetry       *telemetry
	events          *events
	log             *zap.Logger
	reject          bool   // a request as a whole
	tenantAttribute string // of a resource
	cache           claimCache
}

func (c *claims) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	from, err := c.sender(ctx)
	if err != nil || from == nil {
		return td, err
	}
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		return from.mayNotSend(rs.Resource(), func() (items int) {
			for _, ss := range rs.ScopeSpans().All() {
				items += ss.Spans().Len()
			}
			return items
		})
	})
	return td, from.outcome(td.ResourceSpans().Len())
}

func (c *claims) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	from, err := c.sender(ctx)
	if err != nil || from == nil {
		return ld, err
	}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		return from.mayNotSend(rl.Resource(), func() (items int) {
			for _, sl := range rl.ScopeLogs().All() {
				items += sl.LogRecords().Len()
			}
			return items
		})
	})
	return ld, from.outcome(ld.ResourceLogs().Len())
}

func (c *claims) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	from, err := c.sender(ctx)
	if err != nil || from == nil {
		return md, err
	}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		return from.mayNotSend(rm.Resource(), func() (items int) {
			for _, sm := range rm.ScopeMetrics().All() {
				items += sm.Metrics().Len()
			}
			return items
		})
	})
	return md, from.outcome(md.ResourceMetrics().Len())
}
