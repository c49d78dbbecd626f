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

// Do runs f while the lock is held, with a [Context] of it. It returns f's error;
// ErrLost, joined with it, when the lock was lost before f returned; and what
// [Locker.Lock] returns when it was never held. When f panics the lock is given up first.
func Do(ctx context.Context, l Locker, name string, f func(ctx context.Context) error) (err error) {
	held, err := l.Lock(ctx, name)
	if err != nil {
		return err
	}
	term, cancel := Context(ctx, held)
	defer cancel()
	defer func() {
		lost := !held.Valid()
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
