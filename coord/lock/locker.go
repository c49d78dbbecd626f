// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/otelplat/platform/coord"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var (
	// ErrLocked is returned by TryLock when another holds the lock.
	ErrLocked = errors.New("lock: held by another")

	// ErrLost is returned when the lock was no longer held: its lease ended, or
	// somebody deleted its key.
	ErrLost = errors.New("lock: lost")

	// ErrNotHeld is returned by a second Unlock.
	ErrNotHeld = errors.New("lock: not held")

	// ErrClosed is returned after Close.
	ErrClosed = errors.New("lock: closed")
)

// MaxHolds is how many locks a locker holds and waits for at once.
const MaxHolds = 10_000

// Locker gives locks. Its methods are safe for concurrent use. A name is as
// [coord.CheckName] wants it ([*coord.NameError]).
type Locker interface {
	// Lock waits until the lock is held. It returns the context's error, with
	// nothing left behind, [ErrClosed], or etcd's refusal.
	Lock(ctx context.Context, name string) (Held, error)

	// TryLock is Lock without waiting for other holders: [ErrLocked].
	TryLock(ctx context.Context, name string) (Held, error)

	// RLock waits until the lock is held for reading: by any number of readers, and by
	// nobody that Lock gave it to. Who asks for it after a waiting Lock comes after
	// that. Errors are those of Lock.
	RLock(ctx context.Context, name string) (Held, error)

	// TryRLock is RLock without waiting: [ErrLocked].
	TryRLock(ctx context.Context, name string) (Held, error)

	// Close releases all locks and ends all waits. It is idempotent.
	Close() error
}

// Held is one lock that is, or was, held. Its methods are safe for concurrent
// use.
type Held interface {
	// Token names this holding.
	Token() Token

	// Valid reports whether the lock is provably held now. It does not allocate
	// and takes no lock.
	Valid() bool

	// Lost returns a channel that is closed when Valid turns false, by Unlock too.
	Lost() <-chan struct{}

	// Unlock gives the lock up. It returns [ErrLost] when it had been lost
	// before, and [ErrNotHeld] the second time. When etcd does not answer before
	// the context ends it returns that error, and the release goes on behind it
	// until it succeeds or the lease ends.
	Unlock(ctx context.Context) error
}

// Token names one holding of one lock. Within an epoch a later holder's revision
// is greater.
type Token struct {
	Epoch    coord.Epoch // history of revisions that Revision belongs to
	Revision int64       // creation revision of Key
	Key      string      // absolute key in etcd
}

// Guard is the condition that this holder has the lock, for a transaction that
// writes what the lock protects.
func (t Token) Guard() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(t.Key), "=", t.Revision)
}

// Lock names what the token is of: it is the same for all holders of one lock.
func (t Token) Lock() string {
	if i := strings.LastIndexByte(t.Key, '/'); i >= 0 {
		return t.Key[:i]
	}
	return t.Key
}

// Before reports whether t is of an earlier holder than o. Tokens of two epochs
// cannot be compared: that is an error, and whoever restored etcd's data decides.
func (t Token) Before(o Token) (bool, error) {
	if t.Epoch != o.Epoch {
		return false, fmt.Errorf("lock: tokens of two epochs, %q and %q", t.Epoch, o.Epoch)
	}
	return t.Revision < o.Revision, nil
}
