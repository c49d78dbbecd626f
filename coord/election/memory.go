// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"fmt"
	"sync"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/internal/wake"
)

// Memory is the place of elections between the goroutines of this process: for tests,
// and for a service that runs alone.
type Memory struct {
	locks lock.Locker

	mu      sync.Mutex
	leaders map[string]Leader
	changed wake.Set
}

// NewMemory returns a place without elections.
func NewMemory() *Memory {
	return &Memory{locks: lock.Memory(), leaders: make(map[string]Leader)}
}

// Elector returns an elector for one candidate. Errors are [*coord.NameError] and
// [*CandidateError].
func (m *Memory) Elector(me Candidate) (Elector, error) {
	if err := me.check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background()) // ends with Close
	return &memoryElector{place: m, me: me, ctx: ctx, cancel: cancel}, nil
}

type memoryElector struct {
	place  *Memory
	me     Candidate
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	standings standings

	mu     sync.Mutex
	closed bool
}

func (e *memoryElector) Campaign(ctx context.Context, name string) (*Leadership, error) {
	if e.ctx.Err() != nil {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	l, err := campaign(ctx, e.place.locks, &e.standings, name)
	if err != nil {
		if e.ctx.Err() != nil {
			return nil, ErrClosed
		}
		return nil, err
	}
	led(ctx, name, e.me, l)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, joinClosed(l.Resign(ctx))
	}
	e.place.set(name, Leader{e.me, l.Token().Revision})
	e.wg.Go(func() {
		watch(name, e.me, l, e.ctx.Done())
		if l.Valid() {
			_ = l.Resign(context.Background()) // in memory it succeeds
		}
		e.place.unset(name, l.Token().Revision)
	})
	return l, nil
}

func joinClosed(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return ErrClosed
}

func (m *Memory) set(name string, l Leader) {
	m.mu.Lock()
	m.leaders[name] = l
	m.mu.Unlock()
	m.changed.Notify()
}

// unset ends a term, unless the next one has begun.
func (m *Memory) unset(name string, term int64) {
	m.mu.Lock()
	if m.leaders[name].Term == term {
		delete(m.leaders, name)
	}
	m.mu.Unlock()
	m.changed.Notify()
}

func (m *Memory) leader(name string) Leader {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leaders[name]
}

func (e *memoryElector) Leader(ctx context.Context, name string) (Leader, error) {
	if err := e.check(ctx, name); err != nil {
		return Leader{}, err
	}
	l := e.place.leader(name)
	if l.Term == 0 {
		return l, fmt.Errorf("%w: %q", ErrNoLeader, name)
	}
	return l, nil
}

func (e *memoryElector) check(ctx context.Context, name string) error {
	if err := coord.CheckName("election", name); err != nil {
		return err
	}
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("election: %q: %w", name, err)
	}
	return nil
}

func (e *memoryElector) Status(name string) Status { return e.standings.status(name) }

func (e *memoryElector) Observe(ctx context.Context, name string) (<-chan Leader, error) {
	if err := e.check(ctx, name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(e.ctx, cancel)
	updates := e.place.changed.Add(ctx, nil)
	context.AfterFunc(ctx, func() { stop() })
	return observe(updates, func() (Leader, bool) { return e.place.leader(name), true }, &e.wg), nil
}

func (e *memoryElector) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.wg.Wait()
	return nil
}

var _, _ Elector = (*memoryElector)(nil), (*etcdElector)(nil)
