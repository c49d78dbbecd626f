// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"
)

const (
	// eventRate and eventBurst bound the events of budgets.
	eventRate  = 10
	eventBurst = 50

	// standingsTold is how many services and tenants the gauges tell of.
	standingsTold = 50

	// accountSize is an estimate of what a service takes beside its series: meters,
	// watches, its part in the maps.
	accountSize = 3 << 10

	// offendingServices is of how many services the offenders are told.
	offendingServices = 10
)

// telemetry is what the processor tells of itself and of the services.
type telemetry struct {
	*metadata.TelemetryBuilder
	limit *rate.Limiter
}

func newTelemetry(l *ledger, set component.TelemetrySettings) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, fmt.Errorf("budget: %w", err)
	}
	t := &telemetry{TelemetryBuilder: b, limit: rate.NewLimiter(eventRate, eventBurst)}
	if err := errors.Join(
		b.RegisterProcessorBudgetItemsCallback(l.observeItems),
		b.RegisterProcessorBudgetBytesCallback(l.observeBytes),
		b.RegisterProcessorBudgetUsedCallback(l.observeStandings(func(s standing) float64 { return s.used })),
		b.RegisterProcessorBudgetLimitCallback(l.observeStandings(func(s standing) float64 { return s.limit })),
		b.RegisterProcessorBudgetOffendersCallback(l.observeOffenders),
		b.RegisterProcessorBudgetMemoryCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(l.memory.Used() + int64(l.known())*accountSize)
			return nil
		}),
		b.RegisterProcessorBudgetMemoryLimitCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(l.memory.Limit() + int64(2*l.cfg.MaxServices+1)*accountSize) // and "_other" of each tenant
			return nil
		}),
		b.RegisterProcessorBudgetServicesCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(l.known()))
			return nil
		}),
		b.RegisterProcessorBudgetServicesRefusedCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(l.refused.Load())
			return nil
		}),
	); err != nil {
		b.Shutdown()
		return nil, fmt.Errorf("budget: %w", err)
	}
	return t, nil
}

func (t *telemetry) close() { t.Shutdown() }

func (l *ledger) observeItems(_ context.Context, o metric.Int64Observer) error {
	for _, c := range l.names.all() {
		for s := range signals {
			for i := range outcomes {
				if n := c.items[s][i].Load(); n > 0 {
					o.Observe(n, metric.WithAttributes(
						attribute.String("service", c.service), attribute.String("tenant", c.tenant),
						attribute.String("outcome", outcomeNames[i][0]), attribute.String("reason", outcomeNames[i][1]),
						attribute.String(semconv.CollectorSignal, signalNames[s])))
				}
			}
		}
	}
	return nil
}

func (l *ledger) observeBytes(_ context.Context, o metric.Int64Observer) error {
	for _, c := range l.names.all() {
		for s := range signals {
			in := c.in[s].Load()
			if in == 0 {
				continue
			}
			for direction, n := range map[string]int64{"in": in, "out": c.out[s].Load()} {
				o.Observe(n, metric.WithAttributes(
					attribute.String("service", c.service), attribute.String("tenant", c.tenant),
					attribute.String("direction", direction), attribute.String(semconv.CollectorSignal, signalNames[s])))
			}
		}
	}
	return nil
}

func (l *ledger) observeStandings(figure func(standing) float64) metric.Float64Callback {
	return func(_ context.Context, o metric.Float64Observer) error {
		for _, s := range l.standings(standingsTold) {
			o.Observe(figure(s), metric.WithAttributes(
				attribute.String("service", s.service), attribute.String("tenant", s.tenant), attribute.String("budget", kindNames[s.kind])))
		}
		return nil
	}
}

func (l *ledger) observeOffenders(_ context.Context, o metric.Int64Observer) error {
	accounts, _ := l.holders()
	slices.SortFunc(accounts, func(a, b *account) int { return cmp.Compare(b.folded.Load(), a.folded.Load()) })
	told := 0
	for _, a := range accounts {
		limit := l.limits(&a.holder).of[seriesCount]
		near := limit > 0 && float64(a.series.Active()) >= warnAt*limit
		if told == offendingServices || !near && a.folded.Load() == 0 {
			continue
		}
		told++
		metrics, labels := a.series.Offenders(topOffenders)
		for _, of := range append(metrics, labels...) {
			o.Observe(int64(of.Active), metric.WithAttributes(
				attribute.String("service", a.service), attribute.String("tenant", a.tenant),
				attribute.String("metric", of.Metric), attribute.String("label", of.Label)))
		}
	}
	return nil
}

// tell emits the event of a turn.
func (t *telemetry) tell(ctx context.Context, what turn, e excess) {
	if !t.limit.Allow() {
		t.ProcessorBudgetEventsSuppressed.Add(ctx, 1)
		return
	}
	var r log.Record
	r.AddAttributes(
		attribute.String("service.name", e.service), attribute.String(semconv.BudgetTenant, e.tenant),
		attribute.String(semconv.BudgetKind, kindNames[e.kind]),
		attribute.Float64(semconv.BudgetUsed, e.used), attribute.Float64(semconv.BudgetLimit, e.limit))
	switch what {
	case warns:
		r.SetEventName(semconv.EventBudgetWarn)
		r.SetSeverity(log.SeverityWarn)
	case exceeds:
		r.SetEventName(semconv.EventBudgetExceed)
		r.SetSeverity(log.SeverityError)
	default:
		r.SetEventName(semconv.EventBudgetEnd)
		r.SetSeverity(log.SeverityInfo)
		r.AddAttributes(attribute.Int(semconv.BudgetDuration, e.watch.since-calm))
	}
	if what != warns {
		r.AddAttributes(attribute.Float64(semconv.BudgetCut, e.watch.cut-e.watch.began))
	}
	if len(e.offenders) > 0 {
		r.AddAttributes(attribute.StringSlice(semconv.BudgetOffenders, e.offenders))
	}
	otel.GetLoggerProvider().Logger(metadata.ScopeName).Emit(ctx, r)
}
