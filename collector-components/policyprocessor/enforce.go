// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.uber.org/zap"
)

// enforcer applies package otelplat.telemetry to every item; one that observes only counts
// what its rules match.
type enforcer struct {
	gate      *gate
	telemetry *telemetry
	events    *events
	log       *zap.Logger
	hashKey   []byte
	observing bool
	reading   sync.Mutex             // held by the batch that reads a book
	book      atomic.Pointer[opened] // of the newest snapshot that was seen
}

// opened is the book of a snapshot, or that of the last good one before it.
type opened struct {
	of   evaluator
	book *rulebook // nil when there was no good one
}

// rules returns the book of the current snapshot; nil when nothing is loaded and that is
// allowed.
func (e *enforcer) rules(ctx context.Context) (*rulebook, error) {
	_, snapshot, err := e.gate.open(ctx)
	if err != nil || snapshot == nil {
		return nil, err
	}
	last := e.book.Load()
	if last == nil || last.of != evaluator(snapshot) {
		last = e.open(snapshot, last)
	}
	if last.book == nil {
		return nil, e.gate.refuse(ctx, reasonBundleRefused, errBundleRefused)
	}
	return last.book, nil
}

// open reads the book of a snapshot, one batch at a time; the others go on with the last
// good one until then, if there is one.
func (e *enforcer) open(snapshot *policy.Snapshot, last *opened) *opened {
	if last != nil && last.book != nil && !e.reading.TryLock() {
		return last
	} else if last == nil || last.book == nil {
		e.reading.Lock()
	}
	defer e.reading.Unlock()
	if newest := e.book.Load(); newest != nil && newest != last {
		return newest // which another batch has read meanwhile
	}
	next := &opened{of: snapshot}
	if last != nil {
		next.book = last.book
	}
	book, err := newRulebook(snapshot, e.hashKey, e.observing)
	switch {
	case err == nil:
		next.book = book
		book.tellPaths(e.log)
	case errors.Is(err, policy.ErrTimeout): // the machine's, and not the bundle's: the next batch tries again
		e.log.Warn("the bundle was not read in time", zap.Error(err))
		return next
	default: // one that is not for this processor changes nothing
		e.log.Error("the bundle is refused; the last good one stays", zap.Error(err))
	}
	e.book.Store(next)
	return next
}

func (e *enforcer) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	book, err := e.rules(ctx)
	if err != nil || book == nil || book.idle() {
		return td, err
	}
	in := e.within(ctx, book)
	defer in.done()
	in.foretell(func(f func(item)) { in.eachSpan(td, f) })
	if e.observing {
		in.eachSpan(td, in.observe)
		return td, ctx.Err()
	}
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			in.enter(rs.Resource(), ss.Scope())
			ss.Spans().RemoveIf(func(s ptrace.Span) bool {
				in.span.Span = s
				return in.item(&in.span)
			})
			in.leave(ss.Scope(), ss)
			return ss.Spans().Len() == 0
		})
		in.end(rs.Resource(), rs)
		return rs.ScopeSpans().Len() == 0
	})
	return td, outcome(ctx, td.ResourceSpans().Len())
}

func (e *enforcer) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	book, err := e.rules(ctx)
	if err != nil || book == nil || book.idle() {
		return ld, err
	}
	in := e.within(ctx, book)
	defer in.done()
	in.foretell(func(f func(item)) { in.eachRecord(ld, f) })
	if e.observing {
		in.eachRecord(ld, in.observe)
		return ld, ctx.Err()
	}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			in.enter(rl.Resource(), sl.Scope())
			sl.LogRecords().RemoveIf(func(r plog.LogRecord) bool {
				in.record.LogRecord = r
				return in.item(&in.record)
			})
			in.leave(sl.Scope(), sl)
			return sl.LogRecords().Len() == 0
		})
		in.end(rl.Resource(), rl)
		return rl.ScopeLogs().Len() == 0
	})
	return ld, outcome(ctx, ld.ResourceLogs().Len())
}

func (e *enforcer) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	book, err := e.rules(ctx)
	if err != nil || book == nil || book.idle() {
		return md, err
	}
	in := e.within(ctx, book)
	defer in.done()
	in.foretell(func(f func(item)) { in.eachMetric(md, f) })
	if e.observing {
		in.eachMetric(md, in.observe)
		return md, ctx.Err()
	}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			in.enter(rm.Resource(), sm.Scope())
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				in.metric.Metric = m
				return in.item(&in.metric)
			})
			in.leave(sm.Scope(), sm)
			return sm.Metrics().Len() == 0
		})
		in.end(rm.Resource(), rm)
		return rm.ScopeMetrics().Len() == 0
	})
	return md, outcome(ctx, md.ResourceMetrics().Len())
}

// outcome is how a batch ends of which that many resources are left. An ended
// context goes before: its items are not dropped, the sender has to try again.
func outcome(ctx context.Context, left int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if left == 0 {
		return processorhelper.ErrSkipProcessingData
	}
	return nil
}
