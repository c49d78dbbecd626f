// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/internal/loadreport"
)

const (
	// maxProbes bounds the questions that one router has on their way.
	maxProbes = 64

	// probeTimeout is when an answer comes too late to be worth anything.
	probeTimeout = 500 * time.Millisecond

	// An instance that does not offer its load is asked again after notOffered, one that did
	// not answer after unanswered.
	notOffered = 10 * time.Minute
	unanswered = time.Second
)

// probe asks an instance for its load, in the background: once at a time.
func (s *service) probe(n *node, ask func(context.Context) (loadreport.Report, error)) {
	r, t := s.router, targetOf(n)
	if !t.asking.CompareAndSwap(false, true) {
		return
	}
	select {
	case r.probes <- struct{}{}:
	default:
		t.asking.Store(false)
		r.tel.probesSkipped()
		return
	}
	if !r.background(func() {
		defer func() { <-r.probes }()
		defer t.asking.Store(false)
		ctx, cancel := context.WithTimeout(r.ctx, probeTimeout)
		defer cancel()
		report, err := ask(ctx)
		now := r.now()
		switch {
		case err == nil && report.InFlight >= 0:
			s.pool.Heard(balance.Request{Now: now, Random: rand.IntN}, n, loadOf(report))
		case err == nil, errors.Is(err, loadreport.ErrNotOffered):
			t.askAgain.Store(int64(now + notOffered))
		case r.ctx.Err() == nil:
			t.askAgain.Store(int64(now + unanswered))
		}
	}) {
		<-r.probes
		t.asking.Store(false)
	}
}

// askable reports whether an instance may be asked for its load now.
func (t *target) askable(now time.Duration) bool {
	return int64(now) >= t.askAgain.Load() && !t.asking.Load()
}

func loadOf(r loadreport.Report) balance.Report {
	return balance.Report{InFlight: r.InFlight, Latency: r.Latency}
}

// httpAsker asks the instances of one service over one transport.
type httpAsker struct {
	transport *transport
	scheme    string
	ask       func(*node)
}

// asker returns the function that asks an instance for its load. It is made once for all
// requests that go by one transport: a closure for each would be garbage for each.
func (t *transport) asker(s *service, scheme string) func(*node) {
	if a := s.asker.Load(); a != nil && a.transport == t && a.scheme == scheme {
		return a.ask
	}
	a := &httpAsker{transport: t, scheme: scheme, ask: func(n *node) {
		base := &url.URL{Scheme: scheme, Host: targetOf(n).http}
		s.probe(n, func(ctx context.Context) (loadreport.Report, error) { return loadreport.AskHTTP(ctx, t.base, base) })
	}}
	s.asker.Store(a)
	return a.ask
}

// heardHTTP takes in what an instance said of its load with its answer, which was for this
// router and is not passed on.
func (x *exchange) heardHTTP(resp *http.Response) {
	values := resp.Header[loadreport.ResponseHeader]
	if len(values) == 0 {
		return
	}
	if !x.call.asked { // else the caller asked too
		delete(resp.Header, loadreport.ResponseHeader)
	}
	if report, err := loadreport.ParseText(values[0]); err == nil && report.InFlight >= 0 {
		x.attempt.Says(x.service.router.now(), loadOf(report))
	}
}
