// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
)

// logs routes log records.
type logs struct {
	component.StartFunc
	component.ShutdownFunc
	*ways[consumer.Logs]
}

// Capabilities implements consumer.Logs: attributes are taken out and items moved.
func (logs) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

// ConsumeLogs implements consumer.Logs.
func (c logs) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	p := c.plan()
	defer c.release(p)
	for _, rl := range ld.ResourceLogs().All() {
		resource := p.resource(rl.Resource().Attributes())
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				p.item(record.Attributes(), resource)
			}
		}
	}
	c.count(ctx, p)
	if way, ok := p.only(); ok {
		return c.consumers[way].ConsumeLogs(ctx, ld)
	}
	var ended []error
	for way, part := range splitLogs(ld, p.ways, len(c.consumers)) {
		if part != nil {
			ended = append(ended, c.consumers[way].ConsumeLogs(ctx, part.data))
		}
	}
	return c.failure(ctx, ended)
}

// logsPart is what takes one way.
type logsPart struct {
	data     plog.Logs
	rl       plog.ResourceLogs
	sl       plog.ScopeLogs
	resource int // that rl is of, from 1
	scope    int // that sl is of, in rl, from 1
}

// splitLogs moves the items into a batch for each way, nil for one that none takes. A
// resource whose items take one way moves as a whole; of others, each way has a copy with
// its own items, in their order.
func splitLogs(ld plog.Logs, ways []uint8, n int) []*logsPart {
	parts := make([]*logsPart, n)
	of := func(way uint8) *logsPart {
		if parts[way] == nil {
			parts[way] = &logsPart{data: plog.NewLogs()}
		}
		return parts[way]
	}
	for i, rl := range ld.ResourceLogs().All() {
		items := 0
		for _, sl := range rl.ScopeLogs().All() {
			items += sl.LogRecords().Len()
		}
		mine := ways[:items]
		ways = ways[items:]
		if way, ok := one(mine); ok {
			if items > 0 {
				rl.MoveTo(of(way).data.ResourceLogs().AppendEmpty())
			}
			continue
		}
		for j, sl := range rl.ScopeLogs().All() {
			for k, record := range sl.LogRecords().All() {
				record.MoveTo(of(mine[k]).records(i+1, rl, j+1, sl).AppendEmpty())
			}
			mine = mine[sl.LogRecords().Len():]
		}
	}
	return parts
}

// records returns where the records of a scope go.
func (p *logsPart) records(resource int, rl plog.ResourceLogs, scope int, sl plog.ScopeLogs) plog.LogRecordSlice {
	if p.resource != resource {
		p.resource, p.scope = resource, 0
		p.rl = p.data.ResourceLogs().AppendEmpty()
		rl.Resource().CopyTo(p.rl.Resource())
		p.rl.SetSchemaUrl(rl.SchemaUrl())
	}
	if p.scope != scope {
		p.scope = scope
		p.sl = p.rl.ScopeLogs().AppendEmpty()
		sl.Scope().CopyTo(p.sl.Scope())
		p.sl.SetSchemaUrl(sl.SchemaUrl())
	}
	return p.sl.LogRecords()
}
