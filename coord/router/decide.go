// SPDX-License-Identifier: Apache-2.0

package router

import (
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
	now := s.router.now()
	if err := s.admit(now, q.decision.Route); err != nil {
		return err
	}
	s.window.at(now).requests.Add(1)
	return nil
}

// mayRepeat takes an attempt beyond the first from the service's budget.
func (q *request) mayRepeat() bool {
	s, budget := q.service, &q.table.Settings().Retry
	now := s.router.now()
	return !s.open(now, q.decision.Route) && s.window.mayRepeat(now, budget.Budget, budget.Min)
}

// giveBack puts an attempt back that was not made.
func (q *request) giveBack() { q.service.window.giveBack(q.service.router.now()) }

// poolPick is [balance.Pool.Pick], or one of its kind.
type poolPick func(balance.Request) (balance.Attempt, bool)

// pick chooses an instance for an attempt: one that none went to before, if there is one. A
// hedge goes nowhere else.
func (q *request) pick(now time.Duration, pick poolPick, usable func(*node) bool, hedge bool) (balance.Attempt, bool) {
	r := balance.Request{Now: now, Random: rand.IntN, Usable: usable, Key: q.key, Variant: q.decision.Variant}
	if q.tried.any() {
		r.Usable = func(n *node) bool { return !q.tried.has(n) && (usable == nil || usable(n)) }
		if a, ok := pick(r); ok || hedge {
			if ok {
				q.tried.add(a.Node())
			}
			return a, ok
		}
		r.Usable = usable
	}
	a, ok := pick(r)
	if ok {
		q.tried.add(a.Node())
	}
	return a, ok
}

// hedgeAfter returns after what time without an answer another attempt should be sent, 0 for
// never.
func (q *request) hedgeAfter() time.Duration {
	settings := q.decision.Settings
	if settings.Hedge.Max == 0 || q.once || !settings.Retry.Repeatable(&q.rules) {
		return 0
	}
	return q.service.late(settings.Hedge.After)
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
