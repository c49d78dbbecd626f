// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/rules"
)

// request is one request of a caller, with what was decided of it. All of its attempts
// share it.
type request struct {
	service  *service
	rules    rules.Request
	table    *rules.Table
	decision rules.Decision
	key      uint64 // for consistent hashing, 0 for none

	// once says that the request cannot be sent a second time: its body is gone.
	once bool

	// tried are the instances that an attempt went to: the next goes elsewhere if it can.
	// Attempts of one request at the same time are rare, and only hedges.
	tried triedSet
}

// decide finds what holds for a request, and refuses it where its breaker is open.
func (s *service) decide(q *request) error {
	q.service = s
	q.table = s.table.Load()
	q.decision = q.table.Route(&q.rules, rand.Uint64)
	if key, ok := q.table.HashKey(&q.rules); ok {
		q.key = max(key, 1)
	}
	if err := s.admit(q.decision.Route); err != nil {
		return err
	}
	s.window.at(s.router.now()).requests.Add(1)
	return nil
}

// mayRetry reports whether the request may be sent again after n attempts, and waits until
// then.
func (q *request) mayRetry(ctx context.Context, cause string, n int) bool {
	retry := &q.decision.Settings.Retry
	return !q.once && n < retry.Attempts && ctx.Err() == nil && retry.Allows(&q.rules, cause) && q.mayRepeat() && pause(ctx, cause, n)
}

// mayRepeat takes an attempt beyond the first from the service's budget.
func (q *request) mayRepeat() bool {
	s, budget := q.service, &q.table.Settings().Retry
	return !s.open(q.decision.Route) && s.window.mayRepeat(s.router.now(), budget.Budget, budget.Min)
}

// pick chooses an instance for an attempt: one that none went to before, if there is one.
func (q *request) pick(pick func(balance.Request) (balance.Attempt, bool), usable func(*node) bool) (balance.Attempt, bool) {
	r := balance.Request{
		Now: q.service.router.now(), Random: rand.IntN, Usable: usable, Key: q.key, Variant: q.decision.Variant,
	}
	if q.tried.any() {
		r.Usable = func(n *node) bool { return !q.tried.has(n) && (usable == nil || usable(n)) }
		if a, ok := pick(r); ok {
			q.tried.add(a.Node())
			return a, true
		}
		r.Usable = usable
	}
	a, ok := pick(r)
	if ok {
		q.tried.add(a.Node())
	}
	return a, ok
}

// minHedge is the least time after which another attempt is sent: timers are no finer.
const minHedge = time.Millisecond

// late returns after what time a request takes longer than a part of all requests do; 0 when
// too few were seen to tell.
func (s *service) late(quantile float64) time.Duration {
	q := s.quantiles.Load()
	if q == nil {
		return 0
	}
	if at := q.at(quantile); at > 0 {
		return max(at, minHedge)
	}
	return 0
}
