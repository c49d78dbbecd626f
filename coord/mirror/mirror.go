// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/internal/wake"
)

// Decode makes a value of the bytes under a key, which is named relative to the
// prefix. An error keeps the value out; it must not hold secrets of the value,
// because it is reported.
type Decode[T any] func(key string, value []byte) (T, error)

// ErrClosed is returned by waits on a mirror that was closed.
var ErrClosed = errors.New("mirror: closed")

// maxAge is what [Mirror.Age] says before the first list.
const maxAge = time.Duration(math.MaxInt64)

// Mirror is a current copy of a key prefix. Its methods are safe for concurrent
// use; reads take no lock.
type Mirror[T any] struct {
	client   *coord.Client
	prefix   string // absolute
	name     string // the prefix as the caller named it, for telemetry
	decode   Decode[T]
	interval time.Duration // between requests for progress
	saved    string        // path of the saved state, "" when it is not saved
	asker    *asker
	tel      telemetry

	state    atomic.Pointer[state[T]]
	current  atomic.Int64 // when the state was known to be current, since started; -1 never
	started  time.Time
	rejected atomic.Int64

	ready     chan struct{}
	readyOnce sync.Once
	ask       chan struct{} // capacity 1: someone wants to hear of progress now
	cancel    context.CancelFunc
	done      chan struct{}
	saving    sync.WaitGroup

	changes  wake.Set // the content changed
	progress wake.Set // the revision advanced, with a change or without
}

// Open returns a mirror of the keys under prefix, which is relative to the
// client's namespace and ends with a slash or names one key. It does not wait:
// the mirror is empty until [Mirror.WaitReady] returns. The context is for the
// call only. Close the mirror before the client.
func Open[T any](ctx context.Context, c *coord.Client, prefix string, decode Decode[T], opts ...Option) (*Mirror[T], error) {
	switch {
	case c == nil:
		return nil, errors.New("mirror: no client")
	case decode == nil:
		return nil, errors.New("mirror: no decode function")
	case prefix == "" || strings.HasPrefix(prefix, "/"):
		return nil, fmt.Errorf("mirror: prefix %q is not below the namespace", prefix)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	o := options{interval: 5 * time.Second}
	for _, opt := range opts {
		opt(&o)
	}
	m := &Mirror[T]{
		client:   c,
		prefix:   c.Prefix() + prefix,
		name:     prefix,
		decode:   decode,
		interval: o.interval,
		tel:      newTelemetry(prefix),
		started:  time.Now(),
		ready:    make(chan struct{}),
		ask:      make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	m.current.Store(-1)
	m.state.Store(&state[T]{})
	m.asker = acquireAsker(c.Etcd())
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	m.cancel = cancel
	if o.saved && c.StateDir() != "" {
		m.saved = savedPath(c, prefix)
		m.load()
		updates := m.changes.Add(run, nil)
		m.saving.Go(func() { m.save(run, updates) })
	}
	go m.run(run)
	return m, nil
}

// Get returns the newest value of a key. It does not allocate.
func (m *Mirror[T]) Get(key string) (T, bool) { return m.state.Load().get(key) }

// View returns the content at the newest revision.
func (m *Mirror[T]) View() View[T] { return View[T]{m.state.Load()} }

// Revision returns the newest revision, 0 before the first load.
func (m *Mirror[T]) Revision() int64 { return m.state.Load().revision }

// Epoch returns the history that the revision belongs to.
func (m *Mirror[T]) Epoch() coord.Epoch { return m.state.Load().epoch }

// Len returns the number of keys.
func (m *Mirror[T]) Len() int { return m.state.Load().trie.len }

// Rejected returns how many keys hold a value that did not decode.
func (m *Mirror[T]) Rejected() int { return int(m.rejected.Load()) }

// Age returns how long ago the mirror last knew itself to be current, on this
// machine's monotonic clock; about 292 years before etcd answered for the first
// time. It stays
// below the progress interval and a round trip while etcd answers.
func (m *Mirror[T]) Age() time.Duration {
	at := m.current.Load()
	if at < 0 {
		return maxAge
	}
	return time.Since(m.started) - time.Duration(at)
}

// WaitReady waits for the first load. It returns the context's error, or
// [ErrClosed].
func (m *Mirror[T]) WaitReady(ctx context.Context) error {
	select {
	case <-m.ready:
		return nil
	default:
	}
	select {
	case <-m.ready:
		return nil
	case <-m.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("mirror: %s not loaded: %w", m.name, ctx.Err())
	}
}

// WaitRevision waits until the mirror holds a revision or a later one: after a
// write, the revision of the write's answer makes the write visible here. It
// returns the context's error, or [ErrClosed].
func (m *Mirror[T]) WaitRevision(ctx context.Context, revision int64) error {
	if m.Revision() >= revision {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	advanced := m.progress.Add(ctx, nil)
	// Without a change under the prefix only progress tells the revision.
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for m.Revision() < revision {
		select {
		case m.ask <- struct{}{}:
		default:
		}
		select {
		case _, open := <-advanced:
			if !open && ctx.Err() == nil {
				return ErrClosed
			}
			if !open {
				return fmt.Errorf("mirror: %s has not reached revision %d: %w", m.name, revision, ctx.Err())
			}
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("mirror: %s has not reached revision %d: %w", m.name, revision, ctx.Err())
		}
	}
	return nil
}

// Updates returns a channel that is sent to after the content changed, at once
// when something is loaded already, and closed when the context or the mirror
// ends. It holds one mark: a slow reader sees one wake-up for many changes, and
// the mirror never waits for it.
func (m *Mirror[T]) Updates(ctx context.Context) <-chan struct{} {
	return m.changes.Add(ctx, func() bool { return m.Revision() > 0 })
}

// Close stops the mirror, saves its state if it is one that does, and waits. What was
// loaded can still be read. It is idempotent and returns nil.
func (m *Mirror[T]) Close() error {
	m.cancel()
	<-m.done
	m.saving.Wait()
	return nil
}

// publish makes a state the newest. Only the mirror's goroutine calls it.
func (m *Mirror[T]) publish(s *state[T], changed bool) {
	m.state.Store(s)
	m.readyOnce.Do(func() { close(m.ready); changed = true })
	m.progress.Notify()
	if changed {
		m.changes.Notify()
	}
}

// knownCurrentAt notes that the state was current at a time.
func (m *Mirror[T]) knownCurrentAt(t time.Time) {
	m.current.Store(int64(t.Sub(m.started)))
}

// Option configures [Open].
type Option func(*options)

type options struct {
	interval time.Duration
	saved    bool
}

// WithSavedState keeps the last state in a file below the client's state directory
// ([coord.WithStateDir]; nothing is saved when there is none), so that a process can
// start while etcd is away. The mirror is ready at once with what the file says, at an Age
// of "never", until etcd answers. The file is replaced as a whole, at most every 5 s and
// at Close, has mode 0600 and a checksum; one that is damaged is reported and ignored.
func WithSavedState() Option { return func(o *options) { o.saved = true } }

// WithProgressInterval sets how often the mirror asks etcd whether it is current
// (5 s). Age is at most this and a round trip while etcd answers.
func WithProgressInterval(d time.Duration) Option {
	return func(o *options) { o.interval = max(d, 50*time.Millisecond) }
}
