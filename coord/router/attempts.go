// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/coord/router/rules"
)

// A retry comes after a random part of firstPause, doubled each time, up to lastPause
// (Envoy's 25 and 250 ms). What was refused is tried elsewhere at once.
const (
	firstPause = 25 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// ending is how an attempt ended. Cause says why it might be repeated, in the words of
// [rules.Retry]; "" that it is what the caller gets.
type ending[R any] struct {
	result R
	cause  string
}

// run makes attempts until one ends well, or no more may be made, and returns the last. Try
// makes one; its context outlives it, until cancel (which may be nil): an answer's body may
// still be read. Discard gives up what an attempt brought that nobody gets.
func run[R any](ctx context.Context, q *request, try func(ctx context.Context, cancel context.CancelFunc) ending[R], discard func(R)) R {
	settings := q.decision.Settings
	if settings.Hedge.Max > 0 && !q.once && settings.Retry.Repeatable(&q.rules) {
		if after := q.service.late(settings.Hedge.After); after > 0 {
			return runHedged(ctx, q, after, try, discard)
		}
	}
	for n := 1; ; n++ {
		e := try(perTry(ctx, settings.Retry.PerTryTimeout))
		if e.cause == "" || !q.mayRetry(ctx, e.cause, n) {
			return e.result
		}
		discard(e.result)
	}
}

// runHedged sends another request while the first has not been answered. Who is answered
// first ends the others.
func runHedged[R any](ctx context.Context, q *request, after time.Duration, try func(ctx context.Context, cancel context.CancelFunc) ending[R], discard func(R)) R {
	ended := make(chan hedged[R])
	won := make(chan struct{}) // closed once there is a result
	defer close(won)
	var cancels []context.CancelFunc
	start := func() {
		attempt, cancel := context.WithCancel(ctx)
		if bound := q.decision.Settings.Retry.PerTryTimeout; bound > 0 {
			attempt, cancel = context.WithTimeout(ctx, bound)
		}
		n := len(cancels)
		cancels = append(cancels, cancel)
		go func() { // ends with the attempt
			e := try(attempt, cancel)
			select {
			case ended <- hedged[R]{e, n}:
			case <-won:
				discard(e.result)
			}
		}()
	}
	start()
	pending, made, hedges := 1, 1, 0
	late := time.NewTimer(after)
	defer late.Stop()
	for {
		select {
		case <-late.C:
			if hedges < q.decision.Settings.Hedge.Max && q.mayRepeat() {
				start()
				pending++
				hedges++
				late.Reset(after)
			}
		case e := <-ended:
			pending--
			switch {
			case e.cause == "":
			case pending > 0:
				discard(e.result) // another may still do better
				continue
			case q.mayRetry(ctx, e.cause, made):
				discard(e.result)
				start()
				pending++
				made++
				continue
			}
			for i, cancel := range cancels {
				if i != e.n {
					cancel()
				}
			}
			return e.result
		}
	}
}

// hedged is the end of one of several attempts.
type hedged[R any] struct {
	ending[R]
	n int
}

// perTry returns the context of an attempt that nobody else will end.
func perTry(ctx context.Context, bound time.Duration) (context.Context, context.CancelFunc) {
	if bound > 0 {
		return context.WithTimeout(ctx, bound)
	}
	return ctx, nil
}

// pause waits before attempt n+1, and reports whether there is still somebody to wait.
func pause(ctx context.Context, cause string, n int) bool {
	if cause == rules.Refused {
		return ctx.Err() == nil
	}
	most := min(firstPause<<min(n-1, 8), lastPause)
	t := time.NewTimer(rand.N(most))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
