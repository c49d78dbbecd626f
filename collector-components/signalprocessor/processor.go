// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"errors"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// metricsProcessor takes measurements out of metrics.
type metricsProcessor struct {
	cfg    *Config
	set    processor.Settings
	tel    *telemetry
	engine *engine // from start to shutdown
}

func newProcessor(set processor.Settings, cfg *Config) (*metricsProcessor, error) {
	tel, err := newTelemetry(set.MeterProvider)
	if err != nil {
		return nil, err
	}
	return &metricsProcessor{cfg: cfg, set: set, tel: tel}, nil
}

func (p *metricsProcessor) start(ctx context.Context, _ component.Host) error {
	e, err := engines.take(ctx, p.cfg, p.set, p.tel)
	p.engine = e
	return err
}

func (p *metricsProcessor) shutdown(ctx context.Context) error {
	if p.engine == nil {
		return nil // never started
	}
	e := p.engine
	p.engine = nil
	return engines.giveBack(ctx, e)
}

// metrics takes in the routers' measurements. It has no errors: signals are no
// reason to refuse telemetry.
func (p *metricsProcessor) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	var b batch
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			if sm.Scope().Name() == semconv.RouteScope {
				p.scope(ctx, &b, sm)
			}
		}
	}
	if b.caller != 0 || b.refused != nil {
		p.engine.take(ctx, &b, p.tel)
	}
	if p.cfg.Forward || !b.taken {
		return md, nil
	}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			return sm.Scope().Name() == semconv.RouteScope && sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
	if md.ResourceMetrics().Len() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

// scope reads the routers' metrics of one scope, and removes them unless they are
// forwarded.
func (p *metricsProcessor) scope(ctx context.Context, b *batch, sm pmetric.ScopeMetrics) {
	principal := principalOf(ctx)
	if principal != "" {
		b.caller = signal.HashCaller(principal)
	}
	read := func(m pmetric.Metric) bool {
		switch m.Name() {
		case semconv.RouteDuration:
			b.durations(m, principal)
		case semconv.RouteEjections:
			b.ejections(m, principal)
		default:
			return false
		}
		b.taken = true
		return true
	}
	if p.cfg.Forward {
		for _, m := range sm.Metrics().All() {
			read(m)
		}
		return
	}
	sm.Metrics().RemoveIf(read)
}

// principalOf returns who sends, as the receiver's authenticator says; "" when
// nobody vouches for anybody.
func principalOf(ctx context.Context) string {
	auth := client.FromContext(ctx).Auth
	if auth == nil {
		return ""
	}
	principal, _ := auth.GetAttribute(semconv.SenderPrincipal).(string)
	return principal
}

// Reasons why a measurement is not taken, for the counter.
const (
	reasonUnauthenticated = "unauthenticated"
	reasonForm            = "form" // not a delta exponential histogram, or a delta sum
	reasonName            = "name" // service or instance cannot be one
	reasonFull            = "full"
)

// batch is what one export holds.
type batch struct {
	caller   uint64
	taken    bool
	attempts []attempt
	ejected  []aggregate.Target
	refused  map[string]int64
}

type attempt struct {
	target      aggregate.Target
	measurement aggregate.Measurement
}

func (b *batch) refuse(reason string, n int) {
	if n == 0 {
		return
	}
	if b.refused == nil {
		b.refused = make(map[string]int64)
	}
	b.refused[reason] += int64(n)
}

// durations reads the histogram of attempts.
func (b *batch) durations(m pmetric.Metric, principal string) {
	if m.Type() != pmetric.MetricTypeExponentialHistogram {
		b.refuse(reasonForm, 1)
		return
	}
	h := m.ExponentialHistogram()
	switch {
	case principal == "":
		b.refuse(reasonUnauthenticated, h.DataPoints().Len())
		return
	case h.AggregationTemporality() != pmetric.AggregationTemporalityDelta:
		b.refuse(reasonForm, h.DataPoints().Len())
		return
	}
	for _, dp := range h.DataPoints().All() {
		target, ok := targetOf(dp.Attributes())
		outcome, known := outcomes[text(dp.Attributes(), semconv.RouteOutcome)]
		switch {
		case !ok:
			b.refuse(reasonName, 1)
		case !known || !(dp.Sum() >= 0):
			b.refuse(reasonForm, 1)
		case dp.Count() > 0:
			b.attempts = append(b.attempts, attempt{target, measurement(dp, outcome)})
		}
	}
}

func measurement(dp pmetric.ExponentialHistogramDataPoint, outcome aggregate.Outcome) aggregate.Measurement {
	m := aggregate.Measurement{
		Outcome: outcome, Count: dp.Count(), Sum: dp.Sum(), Scale: dp.Scale(),
		Offset: dp.Positive().Offset(), Buckets: dp.Positive().BucketCounts().AsRaw(),
	}
	if n := dp.ZeroCount(); n > 0 && len(m.Buckets) == 0 {
		m.Scale, m.Offset, m.Buckets = signal.Scale, -(1 << 10), []uint64{n} // below the least latency
	}
	return m
}

var outcomes = map[string]aggregate.Outcome{
	semconv.OutcomeOK: aggregate.OK, semconv.OutcomeError: aggregate.Error, semconv.OutcomeTimeout: aggregate.Timeout,
	semconv.OutcomeRefused: aggregate.Refused, semconv.OutcomeCancelled: aggregate.Cancelled,
}

// ejections reads the counter of local ejections.
func (b *batch) ejections(m pmetric.Metric, principal string) {
	if m.Type() != pmetric.MetricTypeSum {
		b.refuse(reasonForm, 1)
		return
	}
	sum := m.Sum()
	switch {
	case principal == "":
		b.refuse(reasonUnauthenticated, sum.DataPoints().Len())
		return
	case sum.AggregationTemporality() != pmetric.AggregationTemporalityDelta:
		b.refuse(reasonForm, sum.DataPoints().Len())
		return
	}
	for _, dp := range sum.DataPoints().All() {
		if target, ok := targetOf(dp.Attributes()); !ok {
			b.refuse(reasonName, 1)
		} else if dp.IntValue() > 0 {
			b.ejected = append(b.ejected, target)
		}
	}
}

// maxLabel bounds variant and zone.
const maxLabel = 64

func targetOf(attributes pcommon.Map) (aggregate.Target, bool) {
	t := aggregate.Target{
		Service: text(attributes, semconv.RouteService), Instance: text(attributes, semconv.RouteInstance),
		Variant: text(attributes, semconv.RouteVariant), Zone: text(attributes, semconv.RouteZone),
	}
	err := errors.Join(coord.CheckName("service", t.Service), coord.CheckName("instance", t.Instance))
	return t, err == nil && len(t.Variant) <= maxLabel && len(t.Zone) <= maxLabel
}

func text(attributes pcommon.Map, name string) string {
	v, ok := attributes.Get(name)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}
