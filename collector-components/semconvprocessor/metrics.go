// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// metrics checks metrics with their data points, which are its items.
func (p *semconvProcessor) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	b := p.begin(ctx, true)
	if b == nil {
		return md, nil
	}
	defer b.end()
	metric := func(m pmetric.Metric) bool {
		dropped, gone := b.Metric(m)
		b.total += dropped
		return gone
	}
	scope := func(s pmetric.ScopeMetrics) bool {
		if why := b.Scope(s.Scope().Attributes(), finding.Metric); why != finding.None {
			return b.dropAll(why, points(s))
		}
		before := s.Metrics().Len()
		each(b, s.Metrics(), metric)
		return before > 0 && s.Metrics().Len() == 0
	}
	each(b, md.ResourceMetrics(), func(r pmetric.ResourceMetrics) bool {
		defer b.merge()
		if why := b.resource(r.Resource()); why != finding.None {
			n := 0
			for _, s := range r.ScopeMetrics().All() {
				n += points(s)
			}
			return b.dropAll(why, n)
		}
		before := r.ScopeMetrics().Len()
		each(b, r.ScopeMetrics(), scope)
		return before > 0 && r.ScopeMetrics().Len() == 0
	})
	if b.total > 0 && md.ResourceMetrics().Len() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

// points returns how many data points the metrics of a scope have.
func points(s pmetric.ScopeMetrics) (n int) {
	for _, m := range s.Metrics().All() {
		switch m.Type() {
		case pmetric.MetricTypeGauge:
			n += m.Gauge().DataPoints().Len()
		case pmetric.MetricTypeSum:
			n += m.Sum().DataPoints().Len()
		case pmetric.MetricTypeHistogram:
			n += m.Histogram().DataPoints().Len()
		case pmetric.MetricTypeExponentialHistogram:
			n += m.ExponentialHistogram().DataPoints().Len()
		case pmetric.MetricTypeSummary:
			n += m.Summary().DataPoints().Len()
		}
	}
	return n
}
