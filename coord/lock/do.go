// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"
	"time"
)

// unlockTimeout bounds giving a lock up after its work is done. What it leaves is
// deleted later, or ends with the lease.
const unlockTimeout = 2 * time.Second

type heldKey struct{}

// Do runs f while the lock is held, with a context that ends when the lock is lost,
// for which [ErrLost] is the cause, and that carries the holding ([FromContext]). It
// returns f's error; ErrLost, joined with it, when the lock was lost before f
// returned; and what [Locker.Lock] returns when it was never held. When f panics the
// lock is given up first.
func Do(ctx context.Context, l Locker, name string, f func(ctx context.Context) error) (err error) {
	held, err := l.Lock(ctx, name)
	if err != nil {
		return err
	}
	term, cancel := context.WithCancelCause(context.WithValue(ctx, heldKey{}, held))
	defer cancel(nil)
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-held.Lost():
			cancel(ErrLost)
		case <-ended:
		}
	}()
	defer func() {
		lost := !held.Valid()
		close(ended)
		<-watched
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer stop()
		unlock := held.Unlock(last)
		switch {
		case lost || errors.Is(unlock, ErrLost):
			err = errors.Join(err, ErrLost)
		case err == nil:
			err = unlock
		}
	}()
	return f(term)
}

// FromContext returns the lock that [Do] holds for this work: its token is what a write
// is guarded with.
func FromContext(ctx context.Context) (Held, bool) {
	h, ok := ctx.Value(heldKey{}).(Held)
	return h, ok
}
