// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/otelplat/platform/collector-components/internal/shared"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// signalProcessor takes measurements out of one pipeline.
type signalProcessor struct {
	cfg      *Config
	set      processor.Settings
	tel      *telemetry
	agents   map[string]bool
	engine   *engine // from start to shutdown
	giveBack func() error
}

// engines are those of this process.
var engines shared.Pool[*engine]

func newProcessor(set processor.Settings, cfg *Config) (*signalProcessor, error) {
	tel, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("signal: %w", err)
	}
	p := &signalProcessor{cfg: cfg, set: set, tel: tel, agents: make(map[string]bool, len(cfg.Agents))}
	for _, a := range cfg.Agents {
		p.agents[a] = true
	}
	return p, nil
}

func (p *signalProcessor) start(ctx context.Context, _ component.Host) error {
	raw, err := json.Marshal(p.cfg)
	if err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	// JSON hides the password.
	key := p.set.ID.String() + "\x00" + string(raw) + "\x00" + string(p.cfg.Etcd.Password)
	e, giveBack, err := engines.Take(key, func() (*engine, error) { return newEngine(ctx, p.cfg, p.set.Logger, p.tel) })
	if err != nil {
		return err
	}
	p.engine, p.giveBack = e, giveBack
	return nil
}

func (p *signalProcessor) shutdown(context.Context) error {
	if p.engine == nil {
		return nil // never started
	}
	p.engine = nil
	return p.giveBack()
}

// metrics takes in what metrics say of instances. It has no errors: signals are no
// reason to refuse telemetry.
func (p *signalProcessor) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	b := p.batch(ctx)
	defer b.free()
	for _, rm := range md.ResourceMetrics().All() {
		b.resource(rm.Resource())
		for _, sm := range rm.ScopeMetrics().All() {
			switch sm.Scope().Name() {
			case semconv.RouteScope:
				p.keep(sm.Metrics(), b.routed)
			case semconv.ServerScope:
				p.keep(sm.Metrics(), b.reported)
			default:
				for _, m := range sm.Metrics().All() {
					b.standard(sm.Scope().Name(), m)
				}
			}
		}
		b.endResource()
	}
	p.engine.take(b)
	p.tel.took(ctx, b, p.engine)
	if p.cfg.Forward || !b.kept {
		return md, nil
	}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			name := sm.Scope().Name()
			return sm.Metrics().Len() == 0 && (name == semconv.RouteScope || name == semconv.ServerScope)
		})
		return rm.ScopeMetrics().Len() == 0
	})
	if md.ResourceMetrics().Len() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

// keep reads the metrics that are for this processor, and removes them unless they are
// forwarded.
func (p *signalProcessor) keep(metrics pmetric.MetricSlice, read func(pmetric.Metric) bool) {
	if !p.cfg.Forward {
		metrics.RemoveIf(read)
		return
	}
	for _, m := range metrics.All() {
		read(m)
	}
}

// traces takes in what client spans say of instances, and changes nothing.
func (p *signalProcessor) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	b := p.batch(ctx)
	defer b.free()
	for _, rs := range td.ResourceSpans().All() {
		b.resource(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			b.spans(ss.Spans())
		}
	}
	p.engine.take(b)
	p.tel.took(ctx, b, p.engine)
	return td, nil
}

// batch returns an empty batch of the sender in the context.
func (p *signalProcessor) batch(ctx context.Context) *batch {
	b := batches.Get().(*batch)
	b.engine, b.index, b.agents = p.engine, p.engine.index.Load(), p.agents
	b.wall, b.now = time.Now().UnixNano(), p.engine.now()
	b.sender = senderOf(ctx)
	b.caller = b.sender.hash
	return b
}
