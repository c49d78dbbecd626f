// SPDX-License-Identifier: Apache-2.0

package lock

import "context"

type heldKey struct{}

// Context returns a context for what is done under a lock: it ends when the lock is lost,
// for which [ErrLost] is the cause, and carries the holding ([FromContext]). Its Err looks
// at the clock at every call: in a process that was stopped and goes on it tells of the
// loss before any timer had the time to. Contexts that are made of it learn by the timer.
// Cancel it when the work is done; that does not unlock.
func Context(ctx context.Context, held Held) (context.Context, context.CancelFunc) {
	base, cancel := context.WithCancelCause(context.WithValue(ctx, heldKey{}, held))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-held.Lost():
			cancel(ErrLost)
		case <-base.Done():
		}
	}()
	return &heldContext{base, held, cancel}, func() {
		cancel(nil)
		<-watched
	}
}

// heldContext is a context whose Err does not wait for a timer.
type heldContext struct {
	context.Context

	held   Held
	cancel context.CancelCauseFunc
}

func (c *heldContext) Err() error {
	if !c.held.Valid() {
		c.cancel(ErrLost) // before Err says so Done is closed, as it has to be
	}
	return c.Context.Err()
}

// FromContext returns the lock that this work is done under: its token is what a write is
// guarded with.
func FromContext(ctx context.Context) (Held, bool) {
	h, ok := ctx.Value(heldKey{}).(Held)
	return h, ok
}
