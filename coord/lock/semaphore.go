// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"fmt"

	"github.com/otelplat/platform/coord"
)

// MaxPermits is how many permits a semaphore has at most.
const MaxPermits = 1000

// Semaphore gives up to so many permits at once, in the order in which they are asked
// for. What is said of locks is true of permits: each has a token of its own, and is lost
// by its holder's clock before etcd gives it to another. Its methods are safe for
// concurrent use.
type Semaphore interface {
	// Acquire waits until a permit is held. It returns the context's error, with nothing
	// left behind, [ErrClosed], [*PermitsError], or etcd's refusal.
	Acquire(ctx context.Context) (Held, error)

	// TryAcquire is Acquire without waiting for other holders: [ErrLocked].
	TryAcquire(ctx context.Context) (Held, error)

	// Close releases all permits and ends all waits. It is idempotent.
	Close() error
}

// PermitsError says that a number of permits cannot be used: it is out of range, or others
// use the semaphore with another one now.
type PermitsError struct {
	Name    string
	Permits int
	Others  int // what others use it with; 0 when the number is out of range
}

func (e *PermitsError) Error() string {
	if e.Others == 0 {
		return fmt.Sprintf("lock: semaphore %q with %d permits, want 1 to %d", e.Name, e.Permits, MaxPermits)
	}
	return fmt.Sprintf("lock: semaphore %q with %d permits, others use it with %d now", e.Name, e.Permits, e.Others)
}

// OpenSemaphore returns a semaphore of the client's namespace, under semaphore/. All who
// use it say the same number of permits, 1 to [MaxPermits] ([*PermitsError]). It does
// nothing before the first permit. Close it before the client.
func OpenSemaphore(c *coord.Client, name string, permits int, opts ...Option) (Semaphore, error) {
	if err := checkPermits(name, permits); err != nil {
		return nil, err
	}
	return &semaphore{open(c, "semaphore", opts), name, rule{permits: permits}}, nil
}

// MemorySemaphore returns a semaphore between the goroutines of this process.
func MemorySemaphore(permits int) (Semaphore, error) {
	const name = "memory"
	if err := checkPermits(name, permits); err != nil {
		return nil, err
	}
	return &semaphore{newMemory(), name, rule{permits: permits}}, nil
}

func checkPermits(name string, permits int) error {
	if err := coord.CheckName("semaphore", name); err != nil {
		return err
	}
	if permits < 1 || permits > MaxPermits {
		return &PermitsError{Name: name, Permits: permits}
	}
	return nil
}

// semaphore is a queue in which so many may hold.
type semaphore struct {
	queue interface {
		acquire(ctx context.Context, name string, r rule, wait bool) (Held, error)
		Close() error
	}
	name string
	rule rule
}

func (s *semaphore) Acquire(ctx context.Context) (Held, error) {
	return s.queue.acquire(ctx, s.name, s.rule, true)
}

func (s *semaphore) TryAcquire(ctx context.Context) (Held, error) {
	return s.queue.acquire(ctx, s.name, s.rule, false)
}

func (s *semaphore) Close() error { return s.queue.Close() }
