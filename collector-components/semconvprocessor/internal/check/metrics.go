// SPDX-License-Identifier: Apache-2.0

package check

import (
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/registry"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Metric checks a metric with its data points, takes those out that have to go,
// and returns how many were taken, and whether the metric itself has to go.
func (c *Checker) Metric(m pmetric.Metric) (dropped int64, gone bool) {
	c.reset()
	c.signal = finding.Metric
	known := c.rules.metrics[m.Name()]
	if known == nil {
		c.unregistered(finding.MissingMetric, m.Name())
	} else {
		c.metric(known, m)
	}
	p := &c.at
	*p = points{Checker: c, known: known, level: c.highest, drop: c.drop, marks: c.marks}
	left := p.check(m)
	c.marks = p.marks
	if left > 0 {
		c.annotate(m.Metadata())
	} else {
		c.marks = 0
	}
	return p.dropped, left == 0 && p.dropped > 0
}

func (c *Checker) metric(s *signal, m pmetric.Metric) {
	if !s.seen.Load() {
		s.seen.Store(true)
	}
	for _, site := range s.static {
		c.found(site, "", nil)
	}
	if s.def.HasUnit && m.Unit() != s.def.Unit {
		c.found(s.unit, "", nil)
	}
	if s.def.Instrument != "" && instrument(m) != s.def.Instrument {
		c.found(s.instrument, "", nil)
	}
}

// instrument returns the name of what a metric comes from; empty when it comes
// from none, as summaries do.
func instrument(m pmetric.Metric) string {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		if m.Sum().IsMonotonic() {
			return "counter"
		}
		return "updowncounter"
	case pmetric.MetricTypeGauge:
		return "gauge"
	case pmetric.MetricTypeHistogram, pmetric.MetricTypeExponentialHistogram:
		return "histogram"
	}
	return ""
}

// points checks the data points of one metric.
type points struct {
	*Checker
	known   *signal // nil: not of the registry
	level   finding.Level
	drop    finding.ID // of the metric as a whole
	marks   uint32     // of the metric and all its points
	dropped int64
}

// check returns how many points are left. Without an enforcement nothing is
// removed, and nothing written: the batch may be others' too.
func (p *points) check(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return numbers(p, m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		return numbers(p, m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		return all(p, m.Histogram().DataPoints())
	case pmetric.MetricTypeExponentialHistogram:
		return all(p, m.ExponentialHistogram().DataPoints())
	case pmetric.MetricTypeSummary:
		return all(p, m.Summary().DataPoints())
	}
	return 0
}

// slice is one of the lists of data points.
type slice[P any] interface {
	Len() int
	At(i int) P
	RemoveIf(f func(P) bool)
}

func all[P interface{ Attributes() pcommon.Map }, S slice[P]](p *points, list S) int {
	if p.enforce == nil {
		for i := range list.Len() {
			p.point(list.At(i).Attributes())
			p.count()
		}
		return list.Len()
	}
	list.RemoveIf(func(point P) bool {
		p.point(point.Attributes())
		return p.count()
	})
	return list.Len()
}

// numbers checks points that have a whole number or a double.
func numbers(p *points, list pmetric.NumberDataPointSlice) int {
	if p.enforce == nil {
		for i := range list.Len() {
			p.number(list.At(i))
		}
		return list.Len()
	}
	list.RemoveIf(p.number)
	return list.Len()
}

func (p *points) number(d pmetric.NumberDataPoint) bool {
	p.point(d.Attributes())
	if p.known != nil {
		switch t := d.ValueType(); {
		case p.known.def.ValueType == registry.Int && t == pmetric.NumberDataPointValueTypeDouble,
			p.known.def.ValueType == registry.Double && t == pmetric.NumberDataPointValueTypeInt:
			p.found(p.known.valueType, "", nil)
		}
	}
	return p.count()
}

func (p *points) point(m pcommon.Map) {
	p.reset()
	clear(p.present)
	p.attributes(m)
	if p.known != nil {
		p.requirements(p.known)
	}
}

// count counts a point, and reports whether it has to go.
func (p *points) count() bool {
	p.marks |= p.Checker.marks
	p.highest = max(p.highest, p.level)
	if p.drop != finding.None {
		p.Checker.drop = p.drop
	}
	if p.end() == finding.None {
		return false
	}
	p.dropped++
	return true
}
