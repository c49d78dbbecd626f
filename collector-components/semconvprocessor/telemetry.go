// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/check"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// counts by kind and level.
type counts = [finding.IDs][finding.Levels]int64

// series are the options of the findings' counter for one service, made when they
// are first needed.
type series [finding.IDs][finding.Levels]atomic.Pointer[[]metric.AddOption]

// telemetry counts what one instance does.
type telemetry struct {
	*metadata.TelemetryBuilder
	signal attribute.KeyValue
	plain  []metric.AddOption
	levels [finding.Levels][]metric.AddOption

	mu       sync.RWMutex
	services map[string]*series // as many as the table tells apart
}

func newTelemetry(set component.TelemetrySettings, signal string) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, fmt.Errorf("otelplat_semconv: %w", err)
	}
	t := &telemetry{TelemetryBuilder: b, signal: attribute.String(semconv.CollectorSignal, signal), services: make(map[string]*series)}
	t.plain = t.with()
	for l := range finding.Levels {
		name := l.String()
		if l == finding.Off {
			name = "none"
		}
		t.levels[l] = t.with(attribute.String(semconv.CollectorSemconvLevel, name))
	}
	return t, nil
}

func (t *telemetry) with(more ...attribute.KeyValue) []metric.AddOption {
	return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(append(more, t.signal)...))}
}

// found counts the findings of a part of a batch. It allocates for the first of
// their kind only.
func (t *telemetry) found(ctx context.Context, service string, by *counts) {
	of := t.series(service)
	for id := finding.None + 1; id < finding.IDs; id++ {
		for level := finding.Information; level < finding.Levels; level++ {
			n := by[id][level]
			if n == 0 {
				continue
			}
			options := of[id][level].Load()
			if options == nil {
				made := t.with(attribute.String(semconv.CollectorSemconvService, service),
					attribute.String(semconv.CollectorSemconvID, id.String()), attribute.String(semconv.CollectorSemconvLevel, level.String()))
				options = &made
				of[id][level].Store(options) // another may have stored the same
			}
			t.ProcessorSemconvFindings.Add(ctx, n, *options...)
		}
	}
}

func (t *telemetry) series(service string) *series {
	t.mu.RLock()
	of := t.services[service]
	t.mu.RUnlock()
	if of != nil {
		return of
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.services[service] == nil {
		t.services[service] = new(series)
	}
	return t.services[service]
}

// batch counts the items of a batch, and what was done to them.
func (t *telemetry) batch(ctx context.Context, c *check.Checker, enforced bool) {
	for level, n := range c.Items {
		if n > 0 {
			t.ProcessorSemconvItems.Add(ctx, n, t.levels[level]...)
		}
	}
	if !enforced {
		return
	}
	for id := finding.None + 1; id < finding.IDs; id++ {
		for action := check.Annotate; action < check.Actions; action++ {
			t.enforced(ctx, action, id, "done", c.Done[action][id])
			t.enforced(ctx, action, id, "skipped", c.Skipped[action][id])
		}
		if n := c.Done[check.DropItem][id]; n > 0 {
			t.ProcessorSemconvDroppedItems.Add(ctx, n, t.with(attribute.String(semconv.CollectorSemconvID, id.String()))...)
		}
	}
}

func (t *telemetry) enforced(ctx context.Context, a check.Action, id finding.ID, outcome string, n int64) {
	if n > 0 {
		t.ProcessorSemconvEnforcements.Add(ctx, n, t.with(attribute.String(semconv.CollectorAction, a.String()),
			attribute.String(semconv.CollectorSemconvID, id.String()), attribute.String(semconv.CollectorSemconvOutcome, outcome))...)
	}
}

// observe reports the registry's coverage whenever metrics are read.
func (t *telemetry) observe(s *state) error {
	kinds := [3]metric.MeasurementOption{}
	for i, kind := range []string{"attribute", "metric", "event"} {
		kinds[i] = metric.WithAttributeSet(attribute.NewSet(attribute.String(semconv.CollectorSemconvKind, kind)))
	}
	gauge := func(of func(check.Coverage) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			attributes, metrics, events := s.rules.Load().Coverage()
			for i, c := range []check.Coverage{attributes, metrics, events} {
				o.Observe(of(c), kinds[i])
			}
			return nil
		}
	}
	if err := t.RegisterProcessorSemconvRegistryEntriesCallback(gauge(func(c check.Coverage) int64 { return c.Entries })); err != nil {
		return err
	}
	return t.RegisterProcessorSemconvRegistrySeenEntriesCallback(gauge(func(c check.Coverage) int64 { return c.Seen }))
}
