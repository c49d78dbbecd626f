// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// ErrClosed is returned by [Live.WaitReady] after Close.
var ErrClosed = errors.New("configsrc: closed")

// Live is a configuration of type T that follows its layers. Its methods are safe
// for concurrent use; Get takes no lock.
type Live[T any] struct {
	defaults T
	sources  []Source
	tel      telemetry

	current atomic.Pointer[held[T]]
	err     atomic.Pointer[error]
	updates wake.Set
	ready   chan struct{}

	mu       sync.Mutex
	onChange []func(old, now T)

	cancel context.CancelFunc
	done   chan struct{}
}

// held is one configuration, with the revision of the newest document in it.
type held[T any] struct {
	value    T
	revision int64
}

// Open returns the configuration of the defaults and the layers, a later layer
// before an earlier one, and follows them until Close. T is a struct; when T or *T
// has a method Validate() error, a configuration that it refuses is not applied.
//
// It returns an [*Error] when a layer that can be read at once, a file or the
// environment, is refused, and Validate's error on the whole. It does not wait
// for documents. The sources belong to Live, also when Open fails.
func Open[T any](ctx context.Context, defaults T, layers ...Source) (*Live[T], error) {
	l := &Live[T]{
		defaults: defaults, sources: layers, tel: newTelemetry(),
		ready: make(chan struct{}), done: make(chan struct{}),
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, l.closeSources())
	}
	if t := reflect.TypeFor[T](); t.Kind() != reflect.Struct {
		return nil, errors.Join(fmt.Errorf("configsrc: configuration of type %s is not a struct", t), l.closeSources())
	}
	fields := fieldsOf(reflect.TypeFor[T](), nil)
	for _, s := range layers {
		if e, ok := s.(interface{ bind([]field) }); ok {
			e.bind(fields)
		}
	}
	first, complete, err := l.start()
	if err != nil {
		return nil, errors.Join(err, l.closeSources())
	}
	l.current.Store(first)
	if complete {
		l.markReady()
	}
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	l.cancel = cancel
	go l.run(run)
	return l, nil
}

// start makes the first configuration. Only documents may be missing or bad.
func (l *Live[T]) start() (first *held[T], complete bool, err error) {
	first, complete, err = l.build(l.sources)
	if err == nil {
		return first, complete, nil
	}
	var others []Source
	for _, s := range l.sources {
		if _, remote := s.(*document); !remote {
			others = append(others, s)
		}
	}
	if len(others) == len(l.sources) {
		return nil, false, err
	}
	l.refused(err)
	first, _, err = l.build(others)
	return first, true, err
}

// build makes a configuration of layers. It reports whether all were heard from.
func (l *Live[T]) build(layers []Source) (h *held[T], complete bool, err error) {
	h = &held[T]{value: clone(reflect.ValueOf(l.defaults)).Interface().(T)}
	complete = true
	for _, s := range layers {
		values, revision, loadErr := s.Load()
		if errors.Is(loadErr, ErrNotLoaded) {
			complete = false
			continue
		}
		if loadErr == nil && err == nil {
			_, texts := s.(*env)
			loadErr = decode(s.Name(), values, &h.value, texts)
		}
		if err == nil {
			err = loadErr // the first says why; the others only whether they were heard from
		}
		h.revision = max(h.revision, revision)
	}
	if err != nil {
		return nil, complete, err
	}
	if err := validate(&h.value); err != nil {
		return nil, complete, &Error{Source: l.culprit(layers), Reason: err.Error(), err: err}
	}
	return h, complete, nil
}

// validate asks the configuration itself.
func validate[T any](value *T) error {
	if v, ok := any(value).(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// culprit returns the name of the layer that made a valid configuration of those below
// it one that is not: where to look first. When none was valid it is "defaults".
func (l *Live[T]) culprit(layers []Source) string {
	for n := len(layers) - 1; n >= 0; n-- {
		below := clone(reflect.ValueOf(l.defaults)).Interface().(T)
		for _, s := range layers[:n] {
			values, _, _ := s.Load() // what was bad was refused before
			_, texts := s.(*env)
			_ = decode(s.Name(), values, &below, texts)
		}
		if validate(&below) == nil {
			return layers[n].Name()
		}
	}
	return "defaults"
}

// Get returns the configuration in force. It must not be changed: lists and maps
// in it are shared.
func (l *Live[T]) Get() T { return l.current.Load().value }

// Revision returns the greatest revision of the documents in force, 0 when no
// document is.
func (l *Live[T]) Revision() int64 { return l.current.Load().revision }

// Err returns why the newest state of the layers was refused, nil when it is in
// force.
func (l *Live[T]) Err() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Age returns how long ago the layer that was longest not heard from was known to
// be current.
func (l *Live[T]) Age() time.Duration {
	var age time.Duration
	for _, s := range l.sources {
		age = max(age, s.Age())
	}
	return age
}

// Updates returns a channel that is sent to after the configuration changed, and after
// [Live.Err] did, and closed when the context or the configuration ends. It holds one
// mark.
func (l *Live[T]) Updates(ctx context.Context) <-chan struct{} { return l.updates.Add(ctx, nil) }

// OnChange calls f after each change, one call at a time, in the order of the
// changes. It must return soon: the next change waits for it.
func (l *Live[T]) OnChange(f func(old, now T)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onChange = append(l.onChange, f)
}

// WaitReady waits until every layer was heard from once. It returns the context's
// error, or [ErrClosed].
func (l *Live[T]) WaitReady(ctx context.Context) error {
	select {
	case <-l.ready:
		return nil
	case <-l.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("configsrc: not all layers loaded: %w", ctx.Err())
	}
}

// Close ends following and closes the layers. The last configuration can still be
// read. It is idempotent.
func (l *Live[T]) Close() error {
	l.cancel()
	<-l.done
	return l.closeSources()
}

func (l *Live[T]) closeSources() error {
	var errs []error
	for _, s := range l.sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// run applies changes until the context ends.
func (l *Live[T]) run(ctx context.Context) {
	defer close(l.done)
	defer l.updates.Close()
	changed := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, s := range l.sources {
		updates := s.Updates(ctx)
		if updates == nil {
			continue
		}
		wg.Go(func() {
			for range updates {
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		})
	}
	// What changed between the first load and the subscription.
	changed <- struct{}{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		next, all, err := l.build(l.sources)
		l.take(next, err)
		if all {
			l.markReady()
		}
	}
}

// markReady is called by Open before run begins, and then by run only.
func (l *Live[T]) markReady() {
	select {
	case <-l.ready:
	default:
		close(l.ready)
	}
}

// take puts a configuration in force, or keeps the last one.
func (l *Live[T]) take(next *held[T], err error) {
	if err != nil {
		if was := l.Err(); was == nil || was.Error() != err.Error() {
			l.refused(err)
		}
		return
	}
	recovered := l.err.Swap(nil) != nil
	was := l.current.Load()
	if was.revision == next.revision && reflect.DeepEqual(was.value, next.value) {
		if recovered {
			l.updates.Notify()
		}
		return
	}
	l.current.Store(next)
	l.tel.applied(next.revision)
	l.mu.Lock()
	calls := l.onChange
	l.mu.Unlock()
	for _, f := range calls {
		f(was.value, next.value)
	}
	l.updates.Notify()
}

func (l *Live[T]) refused(err error) {
	l.err.Store(&err)
	l.tel.refused(err)
	l.updates.Notify()
}
