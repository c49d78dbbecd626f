// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// releaseTimeout bounds one try to delete a key, and the revocation by Close.
const releaseTimeout = time.Second

// Option configures [Open] and [OpenSemaphore].
type Option func(*etcdLocker)

// WithTTL sets how long etcd keeps the locks of a process that vanished
// ([DefaultTTL], at least [MinTTL], whole seconds).
func WithTTL(ttl time.Duration) Option {
	return func(l *etcdLocker) { l.ttl = max(ttl, MinTTL).Truncate(time.Second) }
}

// WithRoot keeps the locks under another root than lock/ of the namespace: for packages
// that stand on locks, as coord/election does. It panics unless [coord.CheckName]
// takes the name.
func WithRoot(root string) Option {
	if err := coord.CheckName("root", root); err != nil {
		panic(err)
	}
	return func(l *etcdLocker) { l.root = root }
}

// WithLockDelay keeps a lock free for at least this long after a holder was lost, which is
// not given to one that unlocks or closes: time for its last writes to arrive (0; Consul's
// is 15 s). All who use a lock have to set it. It costs a second write each time the lock
// is taken.
func WithLockDelay(d time.Duration) Option { return func(l *etcdLocker) { l.delay = d } }

// WithOwner sets the value of the locks' keys, JSON that tells readers who holds and
// who waits; the host's name and the process's id otherwise.
func WithOwner(json []byte) Option { return func(l *etcdLocker) { l.owner = json } }

// Open returns the locks under lock/ of the client's namespace. It does nothing
// before the first lock. Close it before the client.
func Open(c *coord.Client, opts ...Option) Locker { return open(c, "lock", opts) }

func open(c *coord.Client, root string, opts []Option) *etcdLocker {
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	host, _ := os.Hostname()                                // for people only
	l := &etcdLocker{client: c, root: root, ttl: DefaultTTL, run: run, cancel: cancel}
	l.owner, _ = json.Marshal(struct {
		V    int    `json:"v"`
		Host string `json:"host"`
		PID  int    `json:"pid"`
	}{1, host, os.Getpid()}) // of these types it cannot fail
	for _, o := range opts {
		o(l)
	}
	return l
}

type etcdLocker struct {
	client *coord.Client
	root   string
	ttl    time.Duration
	delay  time.Duration
	owner  []byte // value of every key: says to people who holds
	run    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	opening sync.Mutex // held over the grant of a lease: one at a time, and others need its result
	mu      sync.Mutex
	current *session
	keys    keys // of the current session
	holds   int
	closed  bool
}

func (l *etcdLocker) Lock(ctx context.Context, name string) (Held, error) {
	return l.acquire(ctx, name, exclusive, true)
}

func (l *etcdLocker) TryLock(ctx context.Context, name string) (Held, error) {
	return l.acquire(ctx, name, exclusive, false)
}

func (l *etcdLocker) RLock(ctx context.Context, name string) (Held, error) {
	return l.acquire(ctx, name, shared, true)
}

func (l *etcdLocker) TryRLock(ctx context.Context, name string) (Held, error) {
	return l.acquire(ctx, name, shared, false)
}

// acquire queues and waits; a waiter whose place was lost with its lease queues
// again.
func (l *etcdLocker) acquire(ctx context.Context, name string, r rule, wait bool) (Held, error) {
	if err := coord.CheckName("lock", name); err != nil {
		return nil, err
	}
	if err := l.begin(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(l.run, func() { stop(ErrClosed) })()
	for {
		held, err := l.try(ctx, name, r, wait)
		if err == nil {
			return held, nil
		}
		if errors.Is(err, ErrLost) && ctx.Err() == nil {
			continue
		}
		l.end()
		if cause := context.Cause(ctx); errors.Is(cause, ErrClosed) {
			return nil, ErrClosed
		}
		return nil, err
	}
}

func (l *etcdLocker) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case l.holds >= MaxHolds:
		return fmt.Errorf("lock: %d locks held or waited for, which is the limit", l.holds)
	}
	l.holds++
	return nil
}

func (l *etcdLocker) end() {
	l.mu.Lock()
	l.holds--
	l.mu.Unlock()
}

// session returns the lease that all locks share, a new one when the last was
// lost.
func (l *etcdLocker) session(ctx context.Context) (*session, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	l.mu.Lock()
	s := l.current
	l.mu.Unlock()
	if s != nil && s.valid() {
		return s, nil
	}
	s, err := openSession(ctx, l.client, l.ttl, l.delay)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed // the lease expires by itself
	}
	l.current, l.keys = s, keys{}
	l.wg.Go(func() { s.keep(l.run) })
	return s, nil
}

// try takes a place in the queue, and waits for its turn.
func (l *etcdLocker) try(ctx context.Context, name string, r rule, wait bool) (Held, error) {
	q, first, err := l.enqueue(ctx, name, r)
	if err != nil {
		return nil, err
	}
	if !first && !wait {
		l.abandon(q)
		return nil, fmt.Errorf("%w: %q", ErrLocked, name)
	}
	if !first {
		err = q.wait(ctx)
	}
	if err == nil && l.delay > 0 && r.permits == 1 {
		err = q.outlast(ctx, wait)
	}
	if err != nil {
		l.abandon(q)
		return nil, fmt.Errorf("lock: %q: %w", name, err)
	}
	return newHold(q, name), nil
}

// enqueue takes a place in the queue, and reports whether it is its turn at once.
func (l *etcdLocker) enqueue(ctx context.Context, name string, r rule) (*place, bool, error) {
	s, err := l.session(ctx)
	if err != nil {
		return nil, false, err
	}
	q := &place{locker: l, session: s, name: name, prefix: l.client.Key(l.root, name) + "/", rule: r}
	q.key = l.takeKey(q)
	first, err := q.join(ctx)
	if err != nil {
		l.abandon(q)
		return nil, false, fmt.Errorf("lock: %q: %w", name, err)
	}
	return q, first, nil
}

// abandon deletes a key that nobody holds any more, and goes on trying until it is
// done or the lease is lost: the lease is shared, so the key would block the lock
// for as long as this process lives.
//
// The key is not used again: an answer that was lost may be of a request that etcd
// is still to see.
func (l *etcdLocker) abandon(q *place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return // Close revokes the lease
	}
	l.wg.Go(func() {
		for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
			ctx, cancel := context.WithTimeout(l.run, releaseTimeout)
			_, err := q.release(ctx)
			cancel()
			if err == nil {
				return
			}
			select {
			case <-q.session.lost:
				return
			case <-time.After(pause):
			}
		}
	})
}

// Close releases everything by revoking the lease.
func (l *etcdLocker) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.wg.Wait()
		return nil
	}
	l.closed = true
	s := l.current
	l.mu.Unlock()
	l.cancel()
	l.wg.Wait()
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	if s.delay != clientv3.NoLease {
		_, _ = l.client.Etcd().Revoke(ctx, s.delay) // else it expires, later than the locks do
	}
	if _, err := l.client.Etcd().Revoke(ctx, s.lease); err != nil && s.valid() {
		return fmt.Errorf("lock: not released, etcd will in %v: %w", l.ttl, err)
	}
	return nil
}

var _ Locker = (*etcdLocker)(nil)
