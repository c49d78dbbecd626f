// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/otelplat/platform/coord/router/rules"
)

// A retry comes after a random part of firstPause, doubled each time, up to lastPause
// (Envoy's 25 and 250 ms). What was refused is tried elsewhere at once.
const (
	firstPause = 25 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// sender makes the attempts of one request. Several may be on their way at once.
type sender[R any] interface {
	// try makes one attempt. Its context outlives it, until cancel, which may be nil: an
	// answer's body may still be read. A hedge goes to an instance that no other attempt
	// went to, or nowhere.
	try(ctx context.Context, cancel context.CancelFunc, hedge bool) ending[R]

	// discard gives up what an attempt brought that nobody gets.
	discard(R)
}

// ending is how an attempt ended.
type ending[R any] struct {
	result R

	// cause says why the attempt might be repeated, in the words of [rules.Retry], and class
	// the error's own class, where the document names it. Without a cause the result is what
	// the caller gets.
	cause, class string

	// unsent says that a hedge found no other instance.
	unsent bool
}

// run makes attempts until one ends well, or no more may be made, and returns the last.
func run[R any](ctx context.Context, q *request, s sender[R]) R {
	bound := q.decision.Settings.Retry.PerTryTimeout
	for n := 1; ; n++ {
		attempt, cancel := ctx, context.CancelFunc(nil)
		if bound > 0 {
			attempt, cancel = context.WithTimeout(ctx, bound)
		}
		e := s.try(attempt, cancel, false)
		if !q.mayRetry(ctx, e.cause, e.class, n) {
			return e.result
		}
		s.discard(e.result)
	}
}

// runHedged sends another request while the first has not been answered. Who is answered
// first ends the others. Settle says to wait until they have ended.
func runHedged[R any](ctx context.Context, q *request, after time.Duration, s sender[R], settle bool) R {
	h := &hedging[R]{ctx: ctx, request: q, sender: s, ended: make(chan numbered[R]), won: make(chan struct{})}
	won := h.race(after)
	for i, cancel := range h.cancels {
		if i != won.n {
			cancel()
		}
	}
	close(h.won)
	if settle {
		h.running.Wait()
	}
	return won.result
}

// errOutlasted is why an attempt ends whose request was answered by another.
var errOutlasted = errors.New("router: another attempt was answered first")

// hedging is the attempts of one request of which some go side by side.
type hedging[R any] struct {
	ctx     context.Context // of the request, which lasts no longer
	request *request
	sender  sender[R]
	cancels []context.CancelFunc // of the attempts
	running sync.WaitGroup
	ended   chan numbered[R]
	won     chan struct{} // closed once there is a result
}

// numbered is the end of one of several attempts.
type numbered[R any] struct {
	ending[R]
	n int
}

// race starts attempts and returns the end of the one whose result is the request's.
func (h *hedging[R]) race(after time.Duration) numbered[R] {
	q := h.request
	h.start(false)
	pending, made, hedges := 1, 1, 0
	var failed *numbered[R] // of an attempt, while another is under way
	late := time.NewTimer(after)
	defer late.Stop()
	for {
		select {
		case <-late.C:
			if hedges < q.decision.Settings.Hedge.Max && q.mayRepeat() {
				h.start(true)
				pending++
				hedges++
				late.Reset(after)
			}
			continue
		case e := <-h.ended:
			pending--
			switch {
			case e.unsent: // there is nothing better than what failed
				q.giveBack()
			case e.cause == "":
				h.giveUp(failed)
				return e
			default:
				h.giveUp(failed)
				failed = &e
			}
		}
		switch {
		case pending > 0 || failed == nil: // one of them may still do better
		case q.mayRetry(h.ctx, failed.cause, failed.class, made):
			h.giveUp(failed)
			failed = nil
			h.start(false)
			pending++
			made++
		default:
			return *failed
		}
	}
}

// start begins an attempt, in a goroutine that ends with it.
func (h *hedging[R]) start(hedge bool) {
	ctx, end := context.WithCancelCause(h.ctx)
	cancel := func() { end(nil) }
	if bound := h.request.decision.Settings.Retry.PerTryTimeout; bound > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, bound)
		cancel = func() {
			stop()
			end(nil)
		}
	}
	n := len(h.cancels)
	h.cancels = append(h.cancels, func() { end(errOutlasted) })
	h.running.Go(func() {
		e := h.sender.try(ctx, cancel, hedge)
		select {
		case h.ended <- numbered[R]{e, n}:
		case <-h.won:
			h.sender.discard(e.result)
		}
	})
}

func (h *hedging[R]) giveUp(failed *numbered[R]) {
	if failed != nil {
		h.sender.discard(failed.result)
	}
}

// mayRetry reports whether the request may be sent again after n attempts, of which the last
// ended for a cause, and waits until then.
func (q *request) mayRetry(ctx context.Context, cause, class string, n int) bool {
	if cause == "" || q.once || n >= q.decision.Settings.Retry.Attempts || ctx.Err() != nil || !q.repeats(cause, class) {
		return false
	}
	wait := time.Duration(0)
	if cause != rules.Refused {
		wait = rand.N(min(firstPause<<min(n-1, 8), lastPause))
	}
	if deadline, bounded := ctx.Deadline(); bounded && time.Until(deadline) <= wait {
		return false // nobody would be there to hear of it
	}
	if !q.mayRepeat() {
		return false
	}
	if !pause(ctx, wait) {
		q.giveBack()
		return false
	}
	return true
}

// repeats reports whether the document lets a request be sent again for a cause.
func (q *request) repeats(cause, class string) bool {
	retry := &q.decision.Settings.Retry
	return retry.Allows(&q.rules, cause) || class != "" && retry.Allows(&q.rules, class) || retry.Allows(&q.rules, rules.Failed)
}

// pause waits, and reports whether there is still somebody to wait for.
func pause(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
