// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// ErrClosed is returned by [Engine.WaitReady] after Close.
var ErrClosed = errors.New("policy: closed")

// Engine answers by the newest good bundle of its source.
type Engine struct {
	source      Source
	limits      limits
	entrypoints []string
	clock       bool
	tel         *telemetry
	log         *decisionLog
	shadow      *shadow // nil when there is none

	current atomic.Pointer[Snapshot]
	status  atomic.Pointer[Status]
	ready   chan struct{} // closed at the first load
	updates wake.Set
	cancel  context.CancelFunc
	done    chan struct{}
}

// Status is how an engine is.
type Status struct {
	Bundle   string
	Revision string // in force; "" when nothing is
	Loaded   time.Time
	Err      error // why the newest revision was refused, nil when it is in force
}

// limits bound an evaluation.
type limits struct{ timeout time.Duration }

// Option configures [Open].
type Option func(*Engine)

// WithTimeout sets how long one evaluation by OPA may take ([DefaultTimeout]).
func WithTimeout(d time.Duration) Option { return func(e *Engine) { e.limits.timeout = d } }

// WithClock lets policies tell the time, with time.now_ns. An entrypoint that does is
// evaluated by OPA each time, and its decisions cannot be replayed: better is a time in
// the request's context.
func WithClock() Option { return func(e *Engine) { e.clock = true } }

// WithEntrypoints refuses bundles that lack the rule allow of one of these packages, or
// its default: a misspelt package would deny everything, or worse, a misspelt deny
// nothing.
func WithEntrypoints(packages ...string) Option {
	return func(e *Engine) { e.entrypoints = append(e.entrypoints, packages...) }
}

// Open returns an engine on a source, which belongs to it. It does not wait:
// until the first bundle is loaded everything is denied.
func Open(ctx context.Context, source Source, opts ...Option) (*Engine, error) {
	e := &Engine{source: source, limits: limits{DefaultTimeout}, tel: newTelemetry(), ready: make(chan struct{}), done: make(chan struct{})}
	e.log = newDecisionLog(e.tel)
	for _, o := range opts {
		o(e)
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, e.shadow.close(), source.Close())
	}
	if err := e.shadow.open(ctx); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	e.tel.observe(e)
	e.log.start()
	e.status.Store(&Status{Err: ErrNotLoaded})
	e.take(ctx)                                             // what is at hand is in force when Open returns
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	e.cancel = cancel
	go e.run(run)
	return e, nil
}

// Decide answers whether a package allows a request. It never waits for the source, and
// denies whenever the answer is not a clear yes; the error says what went wrong, if
// something did, and is not for the caller's eyes: [ErrNoBundle], [ErrNoEntrypoint],
// [ErrConflict], [ErrBuiltin], [ErrTimeout], [ErrTooLarge], [ErrShape] or the context's.
// The input must not be changed before Decide returns.
func (e *Engine) Decide(ctx context.Context, entrypoint string, in Input) (Decision, error) {
	d := Decision{Entrypoint: entrypoint}
	err := e.decide(ctx, e.current.Load(), &d, &in)
	return d, err
}

// DecideMany answers several requests by one revision, in their order. Errors are of
// single requests; there is one for each.
func (e *Engine) DecideMany(ctx context.Context, entrypoint string, in []Input) ([]Decision, []error) {
	s := e.current.Load()
	decisions, errs := make([]Decision, len(in)), make([]error, len(in))
	for i := range in {
		decisions[i].Entrypoint = entrypoint
		errs[i] = e.decide(ctx, s, &decisions[i], &in[i])
	}
	return decisions, errs
}

func (e *Engine) decide(ctx context.Context, s *Snapshot, d *Decision, in *Input) error {
	var asked *entrypoint
	err := ErrNoBundle
	if s != nil {
		asked, err = s.decide(ctx, d, in, e.tel, e.limits)
	} else {
		d.Rule, d.Outcome = RuleNoPolicy, NoPolicy
	}
	d.ID = newDecisionID()
	e.tel.decided(asked, d)
	e.log.add(ctx, s, d, err, in)
	if e.shadow != nil {
		e.shadow.compare(ctx, d, in)
	}
	return err
}

// Snapshot returns the revision in force, nil when there is none.
func (e *Engine) Snapshot() *Snapshot { return e.current.Load() }

// Status returns how the engine is.
func (e *Engine) Status() Status { return *e.status.Load() }

// Age returns how long ago the source was known to be current.
func (e *Engine) Age() time.Duration { return e.source.Age() }

// Updates returns a channel that is sent to after another revision came into
// force, or one was refused, and closed when the context or the engine ends.
func (e *Engine) Updates(ctx context.Context) <-chan struct{} { return e.updates.Add(ctx, nil) }

// WaitReady waits until a bundle was loaded once. It returns the context's error
// with why none was, or [ErrClosed].
func (e *Engine) WaitReady(ctx context.Context) error {
	select {
	case <-e.ready:
		return nil
	default:
	}
	select {
	case <-e.ready:
		return nil
	case <-e.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("policy: no bundle in force: %w (%w)", ctx.Err(), e.Status().Err)
	}
}

// Close ends following and closes the source. The last bundle stays in force. It
// is idempotent.
func (e *Engine) Close() error {
	e.cancel()
	<-e.done
	e.log.close()
	e.tel.end()
	return errors.Join(e.shadow.close(), e.source.Close())
}

func (e *Engine) run(ctx context.Context) {
	defer close(e.done)
	defer e.updates.Close()
	for range e.source.Updates(ctx) {
		e.take(ctx)
	}
}

// take puts the source's newest bundle in force, or says why not. Open calls it
// before run begins, then only run does.
func (e *Engine) take(ctx context.Context) {
	b, err := e.source.Load()
	was := e.current.Load()
	switch {
	case errors.Is(err, ErrNotLoaded):
		return
	case errors.Is(err, ErrNoBundle):
		e.unload(was)
		return
	case err == nil && was != nil && was.revision == b.Revision && was.bundle == b.Name && was.digest == b.digest():
		// A number alone can come again with another content: when etcd was restored.
		e.note(nil)
		return
	}
	var next *Snapshot
	if err == nil {
		next, err = e.compile(ctx, b)
	}
	if err != nil {
		if ctx.Err() == nil && e.note(err) {
			e.tel.refused(b, err)
		}
		return
	}
	e.current.Store(next)
	e.status.Store(&Status{Bundle: b.Name, Revision: b.Revision, Loaded: time.Now()})
	e.tel.loaded(b)
	select {
	case <-e.ready:
	default:
		close(e.ready)
	}
	e.updates.Notify()
}

// compile makes a snapshot of a bundle whose tests pass and that has what is
// asked of it.
func (e *Engine) compile(ctx context.Context, b Bundle) (*Snapshot, error) {
	b.clock = e.clock
	s, err := load(ctx, b)
	if err != nil {
		return nil, err
	}
	for _, name := range e.entrypoints {
		switch found, err := s.entrypoint(ctx, name); { // prepared before it is in force
		case err != nil:
			return nil, &BundleError{Bundle: b.Name, Reason: err.Error()}
		case found == nil:
			return nil, &BundleError{Bundle: b.Name, Reason: fmt.Sprintf("has no rule %s.allow", name)}
		case !s.hasDefault(name + ".allow"):
			return nil, &BundleError{Bundle: b.Name, Reason: name + ".allow has no default: write `default allow := false`"}
		}
	}
	if _, err := runTests(ctx, b); err != nil {
		return nil, err
	}
	return s, nil
}

// note keeps the error beside what is in force, and reports whether it is another
// than before.
func (e *Engine) note(err error) bool {
	s := e.Status()
	if fmt.Sprint(s.Err) == fmt.Sprint(err) {
		return false
	}
	s.Err = err
	e.status.Store(&s)
	e.updates.Notify()
	return true
}

// unload takes the bundle out of force: from now on everything is denied.
func (e *Engine) unload(was *Snapshot) {
	if was == nil {
		e.note(ErrNoBundle)
		return
	}
	e.current.Store(nil)
	e.status.Store(&Status{Err: ErrNoBundle})
	e.tel.unloaded(was)
	e.updates.Notify()
}
