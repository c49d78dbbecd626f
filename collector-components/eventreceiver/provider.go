// SPDX-License-Identifier: Apache-2.0

package eventreceiver

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/embedded"
)

const (
	// backlogSize and backlogAge bound what is kept for the receiver that comes next.
	backlogSize = 256
	backlogAge  = time.Minute
)

// Provider is a provider of loggers that hands events to the receivers of this process,
// and to a fallback while there is none. What has no event name it ignores. It is safe for
// concurrent use.
type Provider struct {
	embedded.LoggerProvider
	fallback log.LoggerProvider

	mu        sync.Mutex
	receivers []*eventReceiver
	backlog   []emitted // while there are none, the oldest first
}

// NewProvider returns a provider that no receiver has found yet.
func NewProvider(fallback log.LoggerProvider) *Provider { return &Provider{fallback: fallback} }

// Logger implements log.LoggerProvider.
func (p *Provider) Logger(name string, opts ...log.LoggerOption) log.Logger {
	cfg := log.NewLoggerConfig(opts...)
	return &logger{
		provider: p, fallback: p.fallback.Logger(name, opts...),
		scope: scope{name, cfg.InstrumentationVersion(), cfg.SchemaURL()},
	}
}

// attach gives a receiver what is emitted from now on; the first one also has the backlog.
func (p *Provider) attach(r *eventReceiver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := time.Now().Add(-backlogAge)
	for _, e := range p.backlog {
		if e.record.ObservedTimestamp().AsTime().After(old) {
			r.offer(e)
		}
	}
	p.backlog = nil
	p.receivers = append(p.receivers, r)
}

// detach returns when the receiver is offered nothing more.
func (p *Provider) detach(r *eventReceiver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.receivers = slices.DeleteFunc(p.receivers, func(other *eventReceiver) bool { return other == r })
}

// hand gives an event to the receivers, and reports whether the fallback has to have it.
func (p *Provider) hand(e emitted) (fall bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.receivers {
		r.offer(e)
		fall = fall || r.cfg.Echo
	}
	if len(p.receivers) > 0 {
		return fall
	}
	if len(p.backlog) == backlogSize {
		p.backlog = slices.Delete(p.backlog, 0, 1)
	}
	p.backlog = append(p.backlog, e)
	return true
}

type logger struct {
	embedded.Logger
	provider *Provider
	scope    scope
	fallback log.Logger
}

// Enabled reports that every event is taken; what else is logged goes its own way.
func (l *logger) Enabled(_ context.Context, p log.EnabledParameters) bool {
	return p.EventName != "" || p.Severity == log.SeverityUndefined
}

// Emit hands over an event, and does not wait for anybody.
func (l *logger) Emit(ctx context.Context, r log.Record) {
	if r.EventName() == "" {
		return
	}
	if carrier, ok := ctx.Value(carrierKey{}).(*eventReceiver); ok {
		carrier.missed(1, reasonOwn)
		l.fallback.Emit(ctx, r)
		return
	}
	if l.provider.hand(emitted{l.scope, recordOf(ctx, &r, time.Now())}) {
		l.fallback.Emit(ctx, r)
	}
}
