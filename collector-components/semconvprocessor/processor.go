// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"
	"sync"
	"time"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/check"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"
)

// semconvProcessor is one instance, in one pipeline.
type semconvProcessor struct {
	cfg     *Config
	id      component.ID
	log     *zap.Logger
	enforce *check.Enforcement // nil: only reported
	tel     *telemetry

	mu       sync.RWMutex
	state    *state // nil before start and after shutdown
	giveBack func() error

	checkers sync.Pool
}

func newProcessor(set processor.Settings, cfg *Config, signal string) (*semconvProcessor, error) {
	enforce, err := check.ParseEnforcement(cfg.Enforce)
	if err != nil {
		return nil, err
	}
	tel, err := newTelemetry(set.TelemetrySettings, signal)
	if err != nil {
		return nil, err
	}
	return &semconvProcessor{
		cfg: cfg, id: set.ID, log: set.Logger, enforce: enforce, tel: tel,
		checkers: sync.Pool{New: func() any { return new(check.Checker) }},
	}, nil
}

// start opens the state, or joins that of an instance with the same configuration.
func (p *semconvProcessor) start(context.Context, component.Host) error {
	key, err := p.cfg.key(p.id)
	if err != nil {
		return err
	}
	s, giveBack, err := states.Take(key, func() (*state, error) {
		return openState(p.cfg, p.log, p.tel.ProcessorSemconvSuppressedEvents)
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.giveBack = s, giveBack
	return p.tel.observe(s)
}

// shutdown gives the state back. What still comes passes unchecked.
func (p *semconvProcessor) shutdown(context.Context) error {
	p.mu.Lock()
	giveBack := p.giveBack
	p.state, p.giveBack = nil, nil
	p.mu.Unlock()
	p.tel.Shutdown()
	if giveBack == nil {
		return nil
	}
	return giveBack()
}

// batch is the check of one batch.
type batch struct {
	*check.Checker
	p       *semconvProcessor
	state   *state
	ctx     context.Context // of the batch, for counters
	now     time.Time
	service string
	total   int64 // items that were dropped
}

// begin returns nil before start and after shutdown.
func (p *semconvProcessor) begin(ctx context.Context, metrics bool) *batch {
	p.mu.RLock()
	s := p.state
	p.mu.RUnlock()
	if s == nil {
		return nil
	}
	b := &batch{Checker: p.checkers.Get().(*check.Checker), p: p, state: s, ctx: ctx, now: time.Now()}
	b.Begin(s.rules.Load(), p.enforce, metrics)
	return b
}

// resource checks a resource; what it is of has its name.
func (b *batch) resource(r pcommon.Resource) finding.ID {
	b.service = ""
	if name, ok := r.Attributes().Get("service.name"); ok && name.Type() == pcommon.ValueTypeStr {
		b.service = name.Str()
	}
	return b.Resource(r.Attributes())
}

// merge gives to the table what was found in what one resource sent.
func (b *batch) merge() {
	if b.Tally.Empty() {
		return
	}
	by := b.Tally.Counts
	label, overflow, fresh := b.state.table.Merge(b.service, &b.Tally, b.now, b.state.level)
	b.p.tel.found(b.ctx, label, &by)
	if overflow > 0 {
		b.p.tel.ProcessorSemconvOverflowFindings.Add(b.ctx, overflow, b.p.tel.plain...)
	}
	if fresh {
		select {
		case b.state.fresh <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// dropped counts items that go.
func (b *batch) dropped(why finding.ID, n int64) bool {
	if why == finding.None {
		return false
	}
	b.total += n
	return true
}

// dropAll counts items that go with what they are of.
func (b *batch) dropAll(why finding.ID, n int) bool {
	b.DropAll(why, n)
	return b.dropped(why, int64(n))
}

// end counts the batch.
func (b *batch) end() {
	for level, n := range b.Items {
		if n > 0 {
			b.state.items[level].Add(n)
		}
	}
	b.p.tel.batch(b.ctx, b.Checker, b.p.enforce != nil)
	b.p.checkers.Put(b.Checker)
}

// list is one of pdata's slices.
type list[T any] interface {
	Len() int
	At(i int) T
	RemoveIf(f func(T) bool)
}

// each calls f for all of a list, and removes those for which it returns true, if
// the list may be changed.
func each[T any, L list[T]](b *batch, of L, f func(T) bool) {
	if b.p.enforce != nil {
		of.RemoveIf(f)
		return
	}
	for i := range of.Len() {
		f(of.At(i))
	}
}
