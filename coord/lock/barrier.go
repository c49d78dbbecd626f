// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"
	"fmt"

	"github.com/otelplat/platform/coord"
)

// MaxParties is how many parties a barrier waits for at most: they go on by one
// transaction, and etcd takes 128 operations in one.
const MaxParties = 100

// Barrier lets so many parties go on together. The first so many to arrive are one
// meeting, those after them the next. Its methods are safe for concurrent use, and each
// call of Wait is a party.
type Barrier interface {
	// Wait arrives, and returns nil when the meeting is complete. A party that leaves
	// before, because its context ended or it is lost, was not there: another takes its
	// place. It returns the context's error, [ErrLost] when nobody knows any more whether
	// the meeting was complete, [ErrClosed], [*PartiesError], or etcd's refusal.
	Wait(ctx context.Context) error

	// Close ends all waits. It is idempotent.
	Close() error
}

// PartiesError says that a number of parties cannot be used: it is out of range, or others
// use the barrier with another one now.
type PartiesError struct {
	Name    string
	Parties int
	Others  int // what others use it with; 0 when the number is out of range
}

func (e *PartiesError) Error() string {
	if e.Others == 0 {
		return fmt.Sprintf("lock: barrier %q of %d parties, want 1 to %d", e.Name, e.Parties, MaxParties)
	}
	return fmt.Sprintf("lock: barrier %q of %d parties, others use it with %d now", e.Name, e.Parties, e.Others)
}

// OpenBarrier returns a barrier of the client's namespace, under barrier/. All who use it
// say the same number of parties, 1 to [MaxParties] ([*PartiesError]). It does nothing
// before the first Wait. Close it before the client.
func OpenBarrier(c *coord.Client, name string, parties int, opts ...Option) (Barrier, error) {
	if err := checkParties(name, parties); err != nil {
		return nil, err
	}
	return &etcdBarrier{open(c, "barrier", opts), name, rule{permits: parties}}, nil
}

// MemoryBarrier returns a barrier between the goroutines of this process.
func MemoryBarrier(parties int) (Barrier, error) {
	if err := checkParties("memory", parties); err != nil {
		return nil, err
	}
	return &memoryBarrier{parties: parties, closed: make(chan struct{})}, nil
}

func checkParties(name string, parties int) error {
	if err := coord.CheckName("barrier", name); err != nil {
		return err
	}
	if parties < 1 || parties > MaxParties {
		return &PartiesError{Name: name, Parties: parties}
	}
	return nil
}

// etcdBarrier keeps a key for each party, as a lock does for each place.
type etcdBarrier struct {
	parties *etcdLocker
	name    string
	rule    rule // permits are parties
}

func (b *etcdBarrier) Wait(ctx context.Context) error {
	l := b.parties
	if err := l.begin(); err != nil {
		return err
	}
	defer l.end()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(l.run, func() { stop(ErrClosed) })()
	q, _, err := l.enqueue(ctx, b.name, b.rule)
	for errors.Is(err, ErrLost) && ctx.Err() == nil {
		q, _, err = l.enqueue(ctx, b.name, b.rule) // the lease ended before the party was there
	}
	if err == nil {
		err = q.meet(ctx)
	}
	switch other := (*PermitsError)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &other):
		return &PartiesError{Name: b.name, Parties: b.rule.permits, Others: other.Others}
	case l.run.Err() != nil:
		return ErrClosed
	}
	return fmt.Errorf("lock: barrier %q: %w", b.name, err)
}

func (b *etcdBarrier) Close() error { return b.parties.Close() }
