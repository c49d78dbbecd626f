// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MaxAge is how old a reader's copy of the signals may be before they are
// ignored: half of it is the time that a collector's lease outlives the
// collector.
const MaxAge = 15 * time.Second

// maxServices bounds how many services one process follows. A service calls a
// handful; a thousand is a mistake in the caller.
const maxServices = 1000

// ErrClosed is returned by [Source.Service] after Close.
var ErrClosed = errors.New("signal: source is closed")

// TooManyError says that a source follows as many services as it may.
type TooManyError struct {
	Service string // that was asked for
	Limit   int
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("signal: service %q is one more than the %d that one source follows", e.Service, e.Limit)
}

// Source tells what the fleet knows of services: [Etcd] and [Memory]. An
// implementation runs coordtest.Signals. Its methods are safe for concurrent use.
type Source interface {
	// Service returns the follower of one service, which lives until the source is
	// closed; asking again returns the same one. It returns [*coord.NameError] for a
	// name that no service can have, [*TooManyError] and [ErrClosed].
	Service(ctx context.Context, name string) (Follower, error)

	// Close ends all followers and waits for them. It is idempotent.
	Close() error
}

// Follower holds the signals of one service. Reads take no lock and never wait.
type Follower interface {
	// Fleet returns what the collectors say of the service's instances, nil when
	// nothing was loaded yet or when the copy is older than [MaxAge]. The result is
	// immutable.
	Fleet() *Fleet

	// WaitReady waits until the signals were loaded once. Without collectors that is
	// an empty fleet.
	WaitReady(ctx context.Context) error

	// Age returns how long ago the signals were known to be current.
	Age() time.Duration

	// Updates returns a channel that is sent to when the signals changed, at once
	// when they are loaded, and closed when the context or the source ends. It holds
	// one mark.
	Updates(ctx context.Context) <-chan struct{}
}
