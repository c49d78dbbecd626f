// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/otelplat/platform/collector-components/routeconnector/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// defaultRoute is what the counter calls the way of what names no route.
const defaultRoute = "default"

// ways are the routes of one signal with the consumers behind them, type C. The first is
// the default. They are immutable.
type ways[C any] struct {
	cfg       *Config
	consumers []C
	byName    map[string]uint8
	tel       *metadata.TelemetryBuilder
	items     []metric.AddOption // attributes by way
	signal    metric.AddOption
	plans     sync.Pool
}

// router is the part of connector.TracesRouterAndConsumer and its like that finds
// pipelines.
type router[C any] interface {
	Consumer(ids ...pipeline.ID) (C, error)
}

func newWays[C any](set component.TelemetrySettings, cfg *Config, signal pipeline.Signal, r router[C]) (*ways[C], error) {
	tel, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, fmt.Errorf("otelplat_route: %w", err)
	}
	w := &ways[C]{
		cfg: cfg, byName: make(map[string]uint8), tel: tel,
		signal: metric.WithAttributeSet(attribute.NewSet(attribute.String(semconv.CollectorSignal, signal.String()))),
	}
	w.plans.New = func() any { return new(plan) }
	add := func(name string, ids []pipeline.ID) error {
		c, err := r.Consumer(ids...)
		if err != nil {
			return fmt.Errorf("otelplat_route: route %q: %w", name, err)
		}
		w.consumers = append(w.consumers, c)
		w.items = append(w.items, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("route", name), attribute.String(semconv.CollectorSignal, signal.String()))))
		return nil
	}
	ids := of(signal, cfg.Default)
	if len(ids) == 0 {
		return nil, fmt.Errorf("otelplat_route: default names no pipeline of %s", signal)
	}
	if err := add(defaultRoute, ids); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Routes)) {
		ids := of(signal, cfg.Routes[name])
		if len(ids) == 0 {
			continue // it is for other signals; to this one it is unknown
		}
		w.byName[name] = uint8(len(w.consumers)) //nolint:gosec // at most maxRoutes
		if err := add(name, ids); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// plan returns an empty plan, which goes back with release.
func (w *ways[C]) plan() *plan {
	p := w.plans.Get().(*plan)
	p.attribute, p.keep, p.byName = w.cfg.Attribute, w.cfg.KeepAttribute, w.byName
	return p
}

func (w *ways[C]) release(p *plan) {
	items := p.ways[:0]
	if cap(items) > maxKept {
		items = nil
	}
	*p = plan{ways: items}
	w.plans.Put(p)
}

// count tells how many items take which way.
func (w *ways[C]) count(ctx context.Context, p *plan) {
	for way, n := range p.counts[:len(w.consumers)] {
		if n > 0 {
			w.tel.ConnectorRouteItems.Add(ctx, n, w.items[way])
		}
	}
	if p.unknown > 0 {
		w.tel.ConnectorRouteUnknownItems.Add(ctx, p.unknown, w.signal)
	}
}
