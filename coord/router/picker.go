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
)

// picker chooses among the connections that are ready. It is immutable; what it
// chooses by is in the service's pool.
type picker struct {
	service    *service
	ready      map[string]*conn // by instance id
	usable     func(*node) bool
	connecting bool  // some are not ready yet, for the first time
	err        error // why none is
}

// Pick implements [balancer.Picker].
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	s := p.service
	if s.router.ctx.Err() != nil {
		return balancer.PickResult{}, ErrClosed
	}
	if len(p.ready) == 0 {
		switch {
		case p.connecting:
			return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
		case p.err != nil:
			return balancer.PickResult{}, fmt.Errorf("%w: %w", s.noInstances(discovery.GRPC), p.err)
		}
		return balancer.PickResult{}, s.noInstances(discovery.GRPC)
	}
	call := callOf(info.Ctx, s)
	pick := s.pool.Pick
	if p.connecting {
		// Wait for an instance in rotation rather than use one that is out of it.
		pick = s.pool.PickInRotation
	}
	a, ok := call.pick(pick, p.usable)
	switch {
	case !ok && p.connecting:
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
	case !ok:
		return balancer.PickResult{}, s.noInstances(discovery.GRPC)
	}
	call.sent.Store(true)
	annotate(info.Ctx, &call.decision, targetOf(a.Node()))
	if s.asks.Load() {
		now := s.router.now()
		s.pool.Ask(balance.Request{Now: now, Random: rand.IntN, Variant: call.decision.Variant, Usable: func(n *node) bool {
			return p.usable(n) && targetOf(n).asked(now)
		}}, func(n *node) { s.probe(n, p.ready[n.ID()].ask) })
	}
	return balancer.PickResult{SubConn: p.ready[a.Node().ID()].sub, Done: func(d balancer.DoneInfo) { call.done(a, d) }}, nil
}

// done reports how an attempt ended.
func (c *rpcCall) done(a attempt, d balancer.DoneInfo) {
	s := c.service
	if d.Err == nil && !d.BytesReceived {
		// The connection was gone before anything was sent: gRPC picks again.
		a.Done(0, s.router.now(), balance.Cancelled, balance.Unrelated)
		return
	}
	outcome, speed, class := rpcOutcome(c.table, d.Err, d.Trailer)
	if errors.Is(d.Err, context.Canceled) {
		outcome = balance.Cancelled
	}
	if c.streams {
		speed = balance.Unrelated
	}
	if load, ok := d.ServerLoad.(*orcapb.OrcaLoadReport); ok && load != nil {
		if report, err := loadreport.FromProto(load); err == nil && report.InFlight >= 0 {
			a.Says(s.router.now(), loadOf(report))
		}
	}
	if class != "" {
		c.class.Store(&class)
	}
	s.done(a, &c.decision, 0, outcome, speed)
}
