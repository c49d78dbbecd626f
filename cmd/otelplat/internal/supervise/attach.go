// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errParentGone is the cause of a child's context when its pipe ended.
var errParentGone = errors.New("supervise: the parent ended or asked to stop")

// lastResort is how long a child may take to stop before it is ended: half of
// what the whole group has.
const lastResort = 2500 * time.Millisecond

// Attach is called by a child: the context that it returns ends when lifeline
// (a child's standard input) does. A child that is still there 2.5 s later is
// ended, so that nothing which hangs in its way out can keep it. The goroutine
// lives as long as the process.
func Attach(ctx context.Context, lifeline io.Reader) (context.Context, context.CancelFunc) {
	signal.Ignore(os.Interrupt, syscall.SIGHUP)
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, lifeline) // an error is an end as well
		cancel(errParentGone)
		time.AfterFunc(lastResort, func() { os.Exit(1) })
	}()
	return ctx, func() { cancel(context.Canceled) }
}
