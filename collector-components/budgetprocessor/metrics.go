// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/size"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/volume"
	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// metrics holds data points to their budgets.
func (p *budgets) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	tenant := senderTenant(ctx)
	had := md.ResourceMetrics().Len()
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		p.ledger.points(p.ledger.account(tenant, rm.Resource()), rm)
		return rm.ScopeMetrics().Len() == 0
	})
	if had > 0 && md.ResourceMetrics().Len() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

// points holds the data points of one resource to the budget of points a second, and
// their series to the limits.
func (l *ledger) points(a *account, rm pmetric.ResourceMetrics) {
	c := a.counts.Load()
	bytes := int64(size.ResourceMetrics(rm))
	c.in[signalMetrics].Add(bytes)

	var d volume.Demand
	d.Add(float64(dataPointsOf(rm)), 1)
	p, byTenant := l.ratio(a, dataPoints, &d)
	thin := series.Thinning{Below: tracestate.Threshold(p)}
	if p < 1 {
		thin.Again = tracestate.Threshold(a.volume[dataPoints].second())
	}
	f := l.limits(&a.holder)
	a.of.series.Limit.Store(int64(l.limits(&a.of.holder).of[seriesCount]))
	out := a.series.Process(l.now(), series.Limits{
		Series: int(f.of[seriesCount]), SeriesPerMetric: f.seriesPerMetric, ValuesPerLabel: f.perLabel,
		Folded: l.cfg.FoldedSeries, Window: l.cfg.SeriesWindow,
	}, thin, rm)
	if p < 1 {
		l.again(a, dataPoints, d.Kept(p), float64(out.Passed)) // the next batch is cut by it
	}
	l.spend(a, dataPoints, float64(out.In-out.Cut()), float64(out.Cut()), byTenant)

	c.dropped(signalMetrics, out.DroppedRate, byTenant)
	items := &c.items[signalMetrics]
	for o, n := range [outcomes]int{
		kept: out.Kept, added: out.Emitted, droppedSkewed: out.DroppedSkewed, droppedUncarried: out.DroppedUncarried,
		droppedFoldedFull: out.DroppedFoldedFull, droppedMetricsFull: out.DroppedMetricsFull, droppedUnmergeable: out.DroppedUnmergeable,
		foldedSeries: out.FoldedService, foldedMetric: out.FoldedMetric, foldedLabel: out.FoldedLabel,
		foldedTenant: out.FoldedTenant, foldedMemory: out.FoldedMemory,
	} {
		if n > 0 {
			items[o].Add(int64(n))
		}
	}
	if beyond := out.Folded() + out.Dropped() - out.Cut(); beyond > 0 {
		a.folded.Add(int64(beyond))
	}
	if out.FoldedTenant > 0 {
		a.of.folded.Add(int64(out.FoldedTenant))
	}
	switch {
	case rm.ScopeMetrics().Len() == 0:
		bytes = 0
	case out.Kept != out.In || out.Delivered:
		bytes = int64(size.ResourceMetrics(rm))
	}
	c.out[signalMetrics].Add(bytes)
}

// dataPointsOf counts the points of a resource.
func dataPointsOf(rm pmetric.ResourceMetrics) (n int) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
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
	}
	return n
}
