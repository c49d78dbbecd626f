// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	orcapb "github.com/cncf/xds/go/xds/data/orca/v3"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/internal/loadreport"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// picker chooses among the connections that are ready. It is immutable; what it
// chooses by is in the service's pool.
type picker struct {
	service    *service
	ready      map[string]*conn // by instance id
	usable     func(*node) bool
	askable    func(*node) bool // usable, and may be asked for its load
	ask        func(*node)      // asks one
	connecting bool             // some are not ready yet, for the first time
	err        error            // why none is
}

// Pick implements [balancer.Picker].
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	s := p.service
	a := attemptOf(info.Ctx, s)
	chosen, err := p.choose(a)
	if err != nil {
		a.refuse(err)
		return balancer.PickResult{}, err
	}
	a.refused.Store(nil)
	a.picked.Store(true)
	call, node := a.call, chosen.Node()
	annotate(info.Ctx, &call.decision, targetOf(node))
	if s.asks.Load() {
		s.pool.Ask(balance.Request{Now: chosen.Start(), Random: rand.IntN, Variant: call.decision.Variant, Usable: p.askable}, p.ask)
	}
	return balancer.PickResult{SubConn: p.ready[node.ID()].sub, Done: func(d balancer.DoneInfo) { a.done(info.Ctx, chosen, d) }}, nil
}

// choose chooses an instance for an attempt, or says why there is none.
func (p *picker) choose(a *rpcAttempt) (attempt, error) {
	s := p.service
	switch {
	case s.router.ctx.Err() != nil:
		return attempt{}, refusedRPC(ErrClosed, codes.Unavailable, ErrClosed.Error()) // who waits for ready too
	case len(p.ready) == 0 && p.connecting:
		return attempt{}, balancer.ErrNoSubConnAvailable
	case len(p.ready) == 0 && p.err != nil:
		return attempt{}, fmt.Errorf("%w: %w", s.noInstances(discovery.GRPC), p.err)
	case len(p.ready) == 0:
		return attempt{}, s.noInstances(discovery.GRPC)
	}
	pick := s.pick
	if p.connecting {
		// Wait for an instance in rotation rather than use one that is out of it.
		pick = s.pickFirst
	}
	chosen, ok := a.call.pick(s.router.now(), pick, p.usable, a.hedge)
	switch {
	case ok:
		return chosen, nil
	case a.hedge:
		return attempt{}, errNoOther
	case p.connecting:
		return attempt{}, balancer.ErrNoSubConnAvailable
	}
	return attempt{}, s.noInstances(discovery.GRPC)
}

// refuse remembers why nobody was chosen.
func (a *rpcAttempt) refuse(why error) {
	if !errors.Is(why, balancer.ErrNoSubConnAvailable) {
		a.refused.Store(&why)
	}
	a.picked.Store(false)
}

// errNoOther ends a hedge at once, whether its RPC waits for connections or not.
var errNoOther = status.Error(codes.Unavailable, "router: no other instance to hedge with")

// done reports how an attempt ended.
func (a *rpcAttempt) done(ctx context.Context, chosen attempt, d balancer.DoneInfo) {
	c := a.call
	s := c.service
	if d.Err == nil && !d.BytesReceived {
		// The connection was gone before anything was sent: gRPC picks again.
		chosen.Done(0, s.router.now(), balance.Cancelled, balance.Unrelated)
		return
	}
	outcome, speed, class := rpcOutcome(c.table, d.Err, d.Trailer)
	switch {
	case errors.Is(context.Cause(ctx), errOutlasted):
		outcome = balance.Outlasted
	case errors.Is(d.Err, context.Canceled):
		outcome = balance.Cancelled
	case outcome == balance.Cancelled && ctx.Err() == nil:
		outcome, speed = balance.OK, balance.AtLeast // the instance's own word: nobody here gave up
	}
	if c.streams {
		speed = balance.Unrelated
	}
	if load, ok := d.ServerLoad.(*orcapb.OrcaLoadReport); ok && load != nil {
		if report, err := loadreport.FromProto(load); err == nil && report.InFlight >= 0 {
			chosen.Says(s.router.now(), loadOf(report))
		}
	}
	a.unseen.Store(!d.BytesSent)
	if class != "" {
		a.class.Store(&class)
	}
	s.done(chosen, &c.decision, 0, outcome, speed)
}
