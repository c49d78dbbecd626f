// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// traces routes spans.
type traces struct {
	component.StartFunc
	component.ShutdownFunc
	*ways[consumer.Traces]
}

// Capabilities implements consumer.Traces: attributes are taken out and items moved.
func (traces) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

// ConsumeTraces implements consumer.Traces.
func (c traces) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	p := c.plan()
	defer c.release(p)
	for _, rs := range td.ResourceSpans().All() {
		resource := p.resource(rs.Resource().Attributes())
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				p.item(span.Attributes(), resource)
			}
		}
	}
	c.count(ctx, p)
	if way, ok := p.only(); ok {
		return c.consumers[way].ConsumeTraces(ctx, td)
	}
	var ended []error
	for way, part := range splitTraces(td, p.ways, len(c.consumers)) {
		if part != nil {
			ended = append(ended, c.consumers[way].ConsumeTraces(ctx, part.data))
		}
	}
	return c.failure(ctx, ended)
}

// tracesPart is what takes one way.
type tracesPart struct {
	data     ptrace.Traces
	rs       ptrace.ResourceSpans
	ss       ptrace.ScopeSpans
	resource int // that rs is of, from 1
	scope    int // that ss is of, in rs, from 1
}

// splitTraces moves the items into a batch for each way, nil for one that none takes. A
// resource whose items take one way moves as a whole; of others, each way has a copy with
// its own items, in their order.
func splitTraces(td ptrace.Traces, ways []uint8, n int) []*tracesPart {
	parts := make([]*tracesPart, n)
	of := func(way uint8) *tracesPart {
		if parts[way] == nil {
			parts[way] = &tracesPart{data: ptrace.NewTraces()}
		}
		return parts[way]
	}
	for i, rs := range td.ResourceSpans().All() {
		items := 0
		for _, ss := range rs.ScopeSpans().All() {
			items += ss.Spans().Len()
		}
		mine := ways[:items]
		ways = ways[items:]
		if way, ok := one(mine); ok {
			if items > 0 {
				rs.MoveTo(of(way).data.ResourceSpans().AppendEmpty())
			}
			continue
		}
		for j, ss := range rs.ScopeSpans().All() {
			for k, span := range ss.Spans().All() {
				span.MoveTo(of(mine[k]).spans(i+1, rs, j+1, ss).AppendEmpty())
			}
			mine = mine[ss.Spans().Len():]
		}
	}
	return parts
}

// spans returns where the spans of a scope go.
func (p *tracesPart) spans(resource int, rs ptrace.ResourceSpans, scope int, ss ptrace.ScopeSpans) ptrace.SpanSlice {
	if p.resource != resource {
		p.resource, p.scope = resource, 0
		p.rs = p.data.ResourceSpans().AppendEmpty()
		rs.Resource().CopyTo(p.rs.Resource())
		p.rs.SetSchemaUrl(rs.SchemaUrl())
	}
	if p.scope != scope {
		p.scope = scope
		p.ss = p.rs.ScopeSpans().AppendEmpty()
		ss.Scope().CopyTo(p.ss.Scope())
		p.ss.SetSchemaUrl(ss.SchemaUrl())
	}
	return p.ss.Spans()
}
