// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
	"google.golang.org/grpc/balancer"
)

// picker chooses among the connections that are ready. It is immutable; what it
// chooses by is in the service's pool.
type picker struct {
	service    *service
	ready      map[string]balancer.SubConn // by instance id
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
	pick := s.pool.Pick
	if p.connecting {
		// Wait for an instance in rotation rather than use one that is out of it.
		pick = s.pool.PickInRotation
	}
	a, ok := pick(balance.Request{Now: s.router.now(), Random: rand.IntN, Usable: p.usable})
	switch {
	case !ok && p.connecting:
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
	case !ok:
		return balancer.PickResult{}, s.noInstances(discovery.GRPC)
	}
	streams := info.Ctx.Value(streamKey{}) != nil
	return balancer.PickResult{SubConn: p.ready[a.Node().ID()], Done: func(d balancer.DoneInfo) { s.rpcDone(a, d, streams) }}, nil
}

// rpcDone reports how an RPC ended.
func (s *service) rpcDone(a attempt, d balancer.DoneInfo, streams bool) {
	if d.Err == nil && !d.BytesReceived {
		// The connection was gone before anything was sent: gRPC picks again.
		a.Done(0, s.router.now(), balance.Cancelled, balance.Unrelated)
		return
	}
	outcome, speed := rpcOutcome(d.Err)
	if errors.Is(d.Err, context.Canceled) {
		outcome = balance.Cancelled
	}
	if streams {
		speed = balance.Unrelated
	}
	s.done(a, 0, outcome, speed)
}
