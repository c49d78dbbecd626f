// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"time"

	"github.com/otelplat/platform/coord/lock"
)

// resignTimeout bounds giving the leadership up: the lease ends it anyway.
const resignTimeout = time.Second

// Run runs f whenever this candidate leads, with a [lock.Context] of the leadership. When f returns while it leads, Run resigns and returns f's error. When
// the leadership is lost, Run waits for f and stands again. It returns the context's
// error when that ends, and [ErrClosed].
func Run(ctx context.Context, e Elector, name string, f func(ctx context.Context) error) error {
	for {
		l, err := e.Campaign(ctx, name)
		if err != nil {
			return err
		}
		lost, err := lead(ctx, l, f)
		if !lost {
			return err
		}
	}
}

// lead runs f for one term, and reports whether the leadership was lost meanwhile.
func lead(ctx context.Context, l *Leadership, f func(ctx context.Context) error) (lost bool, err error) {
	term, cancel := lock.Context(ctx, l.held)
	defer cancel()
	err = f(term)
	if term.Err() != nil && errors.Is(context.Cause(term), lock.ErrLost) && ctx.Err() == nil {
		return true, err
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), resignTimeout)
	defer stop()
	if r := l.Resign(last); r != nil && !errors.Is(r, lock.ErrLost) && err == nil {
		err = r
	}
	return false, err
}
