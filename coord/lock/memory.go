// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/otelplat/platform/coord"
)

// memoryEpoch is the epoch of all tokens of locks in memory.
const memoryEpoch coord.Epoch = "memory"

// Memory returns locks between the goroutines of this process: for tests, and for
// a service that runs alone. They are lost by Close only.
func Memory() Locker { return newMemory() }

func newMemory() *memoryLocker {
	return &memoryLocker{queues: make(map[string][]*memoryHold), closed: make(chan struct{})}
}

type memoryLocker struct {
	mu       sync.Mutex
	queues   map[string][]*memoryHold // in the order in which they came
	waiting  int
	revision int64
	closed   chan struct{}
}

// memoryHold is a place in a queue, and the lock once granted is closed.
type memoryHold struct {
	locker  *memoryLocker
	token   Token
	rule    rule
	granted chan struct{}
	lost    chan struct{}
	done    atomic.Bool // unlocked, given up or lost
}

// turn reports whether it is the turn of the place at index i of a queue.
func turn(queue []*memoryHold, i int) bool {
	if !queue[i].rule.shared {
		return i < queue[i].rule.permits
	}
	for _, before := range queue[:i] {
		if !before.rule.shared {
			return false
		}
	}
	return true
}

// grant gives the lock to those in a queue whose turn it is.
func grant(queue []*memoryHold) {
	for i, h := range queue {
		if !turn(queue, i) {
			continue
		}
		select {
		case <-h.granted:
		default:
			close(h.granted)
		}
	}
}

func (l *memoryLocker) Lock(ctx context.Context, name string) (Held, error) {
	return l.acquire(ctx, name, exclusive, true)
}

func (l *memoryLocker) TryLock(ctx context.Context, name string) (Held, error) {
	return l.acquire(ctx, name, exclusive, false)
}

func (l *memoryLocker) RLock(ctx context.Context, name string) (Held, error) {
	return l.acquire(ctx, name, shared, true)
}

func (l *memoryLocker) TryRLock(ctx context.Context, name string) (Held, error) {
	return l.acquire(ctx, name, shared, false)
}

func (l *memoryLocker) acquire(ctx context.Context, name string, r rule, wait bool) (Held, error) {
	if err := coord.CheckName("lock", name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock: %q: %w", name, err)
	}
	h, err := l.join(name, r, wait)
	if err != nil {
		return nil, err
	}
	select {
	case <-h.granted:
		return h, nil
	default:
	}
	select {
	case <-h.granted:
		return h, nil
	case <-l.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		h.done.Store(true)
		l.leave(h)
		return nil, fmt.Errorf("lock: %q: %w", name, ctx.Err())
	}
}

func (l *memoryLocker) join(name string, r rule, wait bool) (*memoryHold, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return nil, ErrClosed
	default:
	}
	if l.waiting >= MaxHolds {
		return nil, fmt.Errorf("lock: %d locks held or waited for, which is the limit", l.waiting)
	}
	h := &memoryHold{
		locker: l, token: Token{memoryEpoch, l.revision + 1, name}, rule: r,
		granted: make(chan struct{}), lost: make(chan struct{}),
	}
	queue := append(l.queues[name], h)
	if !wait && !turn(queue, len(queue)-1) {
		return nil, fmt.Errorf("%w: %q", ErrLocked, name)
	}
	l.waiting++
	l.revision++
	l.queues[name] = queue
	grant(queue)
	return h, nil
}

// leave takes a place out of its queue, and gives the lock to those whose turn it is then.
func (l *memoryLocker) leave(h *memoryHold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queues[h.token.Key]
	for i, other := range queue {
		if other != h {
			continue
		}
		l.waiting--
		queue = append(queue[:i:i], queue[i+1:]...)
		if len(queue) == 0 {
			delete(l.queues, h.token.Key)
			return
		}
		l.queues[h.token.Key] = queue
		grant(queue)
		return
	}
}

func (l *memoryLocker) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return nil
	default:
	}
	close(l.closed)
	for _, queue := range l.queues {
		for i, h := range queue {
			if turn(queue, i) && h.done.CompareAndSwap(false, true) {
				close(h.lost)
			}
		}
	}
	return nil
}

func (h *memoryHold) Token() Token { return h.token }

func (h *memoryHold) Valid() bool { return !h.done.Load() }

func (h *memoryHold) Lost() <-chan struct{} { return h.lost }

func (h *memoryHold) Unlock(context.Context) error {
	if !h.done.CompareAndSwap(false, true) {
		select {
		case <-h.locker.closed:
			return ErrLost
		default:
			return ErrNotHeld
		}
	}
	close(h.lost)
	h.locker.leave(h)
	return nil
}

var _ Held = (*memoryHold)(nil)
