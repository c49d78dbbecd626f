// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// memoryBarrier holds the parties that wait for their meeting.
type memoryBarrier struct {
	parties int
	closed  chan struct{}

	mu      sync.Mutex
	waiting []chan struct{} // each closed when its meeting is complete
}

func (b *memoryBarrier) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("lock: barrier: %w", err)
	}
	complete, err := b.arrive()
	if err != nil {
		return err
	}
	select {
	case <-complete:
		return nil
	case <-b.closed:
	case <-ctx.Done():
	}
	if b.leave(complete) {
		return nil
	}
	select {
	case <-b.closed:
		return ErrClosed
	default:
		return fmt.Errorf("lock: barrier: %w", ctx.Err())
	}
}

func (b *memoryBarrier) arrive() (<-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return nil, ErrClosed
	default:
	}
	complete := make(chan struct{})
	b.waiting = append(b.waiting, complete)
	if len(b.waiting) == b.parties {
		for _, c := range b.waiting {
			close(c)
		}
		b.waiting = nil
	}
	return complete, nil
}

// leave takes a party out, and reports true when its meeting was complete before.
func (b *memoryBarrier) leave(complete <-chan struct{}) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-complete:
		return true
	default:
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(c chan struct{}) bool { return c == complete })
	return false
}

func (b *memoryBarrier) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
	default:
		close(b.closed)
	}
	return nil
}
