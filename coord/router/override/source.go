// SPDX-License-Identifier: Apache-2.0

package override

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// maxServices bounds how many services one process follows, as coord/signal does.
const maxServices = 1000

// ErrClosed is returned by [Source.Follow] after Close.
var ErrClosed = errors.New("override: source is closed")

// TooManyError says that a source follows as many services as it may.
type TooManyError struct {
	Service string // that was asked for
	Limit   int
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("override: service %q is one more than the %d that one source follows", e.Service, e.Limit)
}

// Source tells what operators force: [Etcd] and [Memory]. An implementation runs
// coordtest.Overrides. Its methods are safe for concurrent use.
type Source interface {
	// Follow returns the follower of one service, which lives until the source is closed;
	// asking again returns the same one. It returns [*coord.NameError] for a name that no
	// service can have, [*TooManyError] and [ErrClosed].
	Follow(ctx context.Context, service string) (Follower, error)

	// Close ends all followers and waits for them. It is idempotent.
	Close() error
}

// Follower holds the overrides of one service. Reads take no lock and never wait.
type Follower interface {
	// Current returns the overrides that hold, nil for none.
	Current() *Current

	// WaitReady waits until they were loaded once.
	WaitReady(ctx context.Context) error

	// Age returns how long ago they were known to be current.
	Age() time.Duration

	// Updates returns a channel that is sent to when an override begins or ends, at once
	// when they are loaded, and closed when the context or the source ends. It holds one
	// mark.
	Updates(ctx context.Context) <-chan struct{}
}

// holder keeps what holds, and tells of it. It has one writer.
type holder struct {
	current atomic.Pointer[Current]
	updates wake.Set
}

// publish makes what holds known. Why says how an override ends that is not in next.
func (h *holder) publish(next *Current, why string) {
	was := h.current.Swap(next)
	if next.same(was) {
		return
	}
	for _, o := range next.All() {
		if !was.has(o) {
			tellBegin(o)
		}
	}
	for _, o := range was.All() {
		if !next.has(o) {
			tellEnd(o, why)
		}
	}
	h.updates.Notify()
}

// Current implements [Follower].
func (h *holder) Current() *Current { return h.current.Load() }
