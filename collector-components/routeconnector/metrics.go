// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// metrics routes metrics, as a whole with all their points.
type metrics struct {
	component.StartFunc
	component.ShutdownFunc
	*ways[consumer.Metrics]
}

// Capabilities implements consumer.Metrics: attributes are taken out and items moved.
func (metrics) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

// ConsumeMetrics implements consumer.Metrics.
func (c metrics) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	p := c.plan()
	defer c.release(p)
	for _, rm := range md.ResourceMetrics().All() {
		resource := p.resource(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				p.item(m.Metadata(), resource)
			}
		}
	}
	c.count(ctx, p)
	if way, ok := p.only(); ok {
		return c.consumers[way].ConsumeMetrics(ctx, md)
	}
	var ended []error
	for way, part := range splitMetrics(md, p.ways, len(c.consumers)) {
		if part != nil {
			ended = append(ended, c.consumers[way].ConsumeMetrics(ctx, part.data))
		}
	}
	return c.failure(ctx, ended)
}

// metricsPart is what takes one way.
type metricsPart struct {
	data     pmetric.Metrics
	rm       pmetric.ResourceMetrics
	sm       pmetric.ScopeMetrics
	resource int // that rm is of, from 1
	scope    int // that sm is of, in rm, from 1
}

// splitMetrics moves the items into a batch for each way, nil for one that none takes. A
// resource whose items take one way moves as a whole; of others, each way has a copy with
// its own items, in their order.
func splitMetrics(md pmetric.Metrics, ways []uint8, n int) []*metricsPart {
	parts := make([]*metricsPart, n)
	of := func(way uint8) *metricsPart {
		if parts[way] == nil {
			parts[way] = &metricsPart{data: pmetric.NewMetrics()}
		}
		return parts[way]
	}
	for i, rm := range md.ResourceMetrics().All() {
		items := 0
		for _, sm := range rm.ScopeMetrics().All() {
			items += sm.Metrics().Len()
		}
		mine := ways[:items]
		ways = ways[items:]
		if way, ok := one(mine); ok {
			if items > 0 {
				rm.MoveTo(of(way).data.ResourceMetrics().AppendEmpty())
			}
			continue
		}
		for j, sm := range rm.ScopeMetrics().All() {
			for k, m := range sm.Metrics().All() {
				m.MoveTo(of(mine[k]).metrics(i+1, rm, j+1, sm).AppendEmpty())
			}
			mine = mine[sm.Metrics().Len():]
		}
	}
	return parts
}

// metrics returns where the metrics of a scope go.
func (p *metricsPart) metrics(resource int, rm pmetric.ResourceMetrics, scope int, sm pmetric.ScopeMetrics) pmetric.MetricSlice {
	if p.resource != resource {
		p.resource, p.scope = resource, 0
		p.rm = p.data.ResourceMetrics().AppendEmpty()
		rm.Resource().CopyTo(p.rm.Resource())
		p.rm.SetSchemaUrl(rm.SchemaUrl())
	}
	if p.scope != scope {
		p.scope = scope
		p.sm = p.rm.ScopeMetrics().AppendEmpty()
		sm.Scope().CopyTo(p.sm.Scope())
		p.sm.SetSchemaUrl(sm.SchemaUrl())
	}
	return p.sm.Metrics()
}
