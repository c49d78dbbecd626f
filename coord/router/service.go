// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/internal/wake"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
)

type (
	pool    = balance.Pool
	node    = balance.Node
	attempt = balance.Attempt
)

// service is one service that the router routes to.
type service struct {
	router  *Router
	name    string
	pool    *pool
	signals signal.Follower   // nil without signals
	rules   rules.Follower    // nil without documents
	forced  override.Follower // nil without overrides
	updates wake.Set          // for gRPC: the members changed

	table  atomic.Pointer[rules.Table]
	asks   atomic.Bool // the policy goes by what instances say of their load
	asker  atomic.Pointer[httpAsker]
	window window

	// What a request would otherwise make anew.
	askableHTTP func(*node) bool // serves HTTP, and may be asked for its load
	pick        poolPick         // the pool's
	pickFirst   poolPick         // the same, in rotation only

	quantiles atomic.Pointer[quantiles]
	gates     gates
	effects   effects

	mu      sync.Mutex // of what refresh compares with
	targets map[string]*target
	fleet   *signal.Fleet
	policy  policyKey // of the pool's policy
	part    float64   // of the service's requests that are this process's
}

// targetOf returns how an instance is reached: what this package gave the pool.
func targetOf(n *node) *target { return n.Target().(*target) }

// target is how an instance is reached and reported. It is immutable but for what it may be
// asked.
type target struct {
	member discovery.Member
	http   string // host:port, "" when it does not serve HTTP
	grpc   string
	attrs  []attribute.KeyValue // of its measurements and events

	recorders recorders
	askAgain  atomic.Int64 // when it may be asked for its load
	asking    atomic.Bool  // it is being asked
}

func newService(r *Router, name string) *service {
	s := &service{router: r, name: name, targets: make(map[string]*target)}
	s.table.Store(defaultTable)
	s.askableHTTP = func(n *node) bool { return servesHTTP(n) && targetOf(n).askable(r.now()) }
	s.pool = balance.New(s.settings(), s.decided)
	s.pick, s.pickFirst = s.pool.Pick, s.pool.PickInRotation
	// Without one of these the router still has its own eyes, and the defaults.
	if r.signals != nil {
		f, err := r.signals.Service(r.ctx, name)
		if err != nil {
			r.log.Warn("router: no signals", "service", name, "error", err)
		} else {
			s.signals = f
		}
	}
	if r.documents != nil {
		f, err := r.documents.Follow(r.ctx, name)
		if err != nil {
			r.log.Warn("router: no routing document", "service", name, "error", err)
		} else {
			s.rules = f
		}
	}
	if r.overrides != nil {
		f, err := r.overrides.Follow(r.ctx, name)
		if err != nil {
			r.log.Warn("router: no overrides", "service", name, "error", err)
		} else {
			s.forced = f
		}
	}
	return s
}

// follow keeps the service current by what it follows, until the router's context ends.
func (s *service) follow() {
	var changed []<-chan struct{}
	if s.signals != nil {
		changed = append(changed, s.signals.Updates(s.router.ctx))
	}
	if s.rules != nil {
		changed = append(changed, s.rules.Updates(s.router.ctx))
	}
	if s.forced != nil {
		changed = append(changed, s.forced.Updates(s.router.ctx))
	}
	for _, updates := range changed {
		s.router.wg.Go(func() {
			for range updates {
				s.refresh()
			}
		})
	}
}

// waitReady waits until all that the service follows was loaded once.
func (s *service) waitReady(ctx context.Context) error {
	if s.signals != nil {
		if err := s.signals.WaitReady(ctx); err != nil {
			return fmt.Errorf("router: signals of %q: %w", s.name, err)
		}
	}
	if s.rules != nil {
		if err := s.rules.WaitReady(ctx); err != nil {
			return fmt.Errorf("router: routing document of %q: %w", s.name, err)
		}
	}
	if s.forced != nil {
		if err := s.forced.WaitReady(ctx); err != nil {
			return fmt.Errorf("router: overrides of %q: %w", s.name, err)
		}
	}
	return nil
}

// refresh takes over the directory's members and the fleet's signals.
func (s *service) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.router.directory.Members(s.name)
	targets := make(map[string]*target, len(known))
	members := make([]balance.Member, len(known))
	changed := len(known) != len(s.targets)
	for i, m := range known {
		t := s.targets[m.ID]
		if t == nil || !reflect.DeepEqual(t.member, m) {
			old := t
			t, changed = s.newTarget(m), true
			if old != nil && old.http == t.http && old.grpc == t.grpc {
				t.askAgain.Store(old.askAgain.Load()) // who does not answer does not begin to for a new weight
			}
		}
		targets[m.ID] = t
		members[i] = balance.Member{
			ID: m.ID, Weight: m.Weight, InService: m.Status == discovery.Up, Unconfirmed: m.Unconfirmed, Zone: m.Zone, Target: t,
		}
	}
	s.targets = targets
	s.fleet = s.currentFleet()
	now := s.router.now()
	s.pool.Update(now, members, s.fleet)
	s.heed(now)
	if changed {
		s.updates.Notify()
	}
}

// tick is called once a second: it looks at what changes by time alone.
func (s *service) tick() {
	now := s.router.now()
	s.mu.Lock()
	aged := (s.currentFleet() == nil) != (s.fleet == nil)
	s.mu.Unlock()
	if aged {
		s.refresh() // the signals became too old to be heeded, or young enough
	} else {
		s.judge(now)
	}
	stats := s.window.sum(now)
	s.quantiles.Store(&quantiles{latency: stats.Latency, count: stats.Latency.Count()})
	s.tellEffects(now)
}

// currentFleet returns what the fleet knows, nil when that is nothing or too old.
func (s *service) currentFleet() *signal.Fleet {
	if s.signals == nil {
		return nil
	}
	return s.signals.Fleet()
}

func (s *service) newTarget(m discovery.Member) *target {
	t := &target{member: m, http: m.Address(discovery.HTTP), grpc: m.Address(discovery.GRPC)}
	t.attrs = []attribute.KeyValue{
		attribute.String(semconv.RouteService, s.name),
		attribute.String(semconv.RouteInstance, m.ID),
	}
	if v := m.Variant(); v != "" {
		t.attrs = append(t.attrs, attribute.String(semconv.RouteVariant, v))
	}
	if m.Zone != "" {
		t.attrs = append(t.attrs, attribute.String(semconv.RouteZone, m.Zone))
	}
	return t
}

// done reports how an attempt ended, to the pool and to the fleet. Sent is when the
// instance got it, 0 when nobody knows.
func (s *service) done(a attempt, d *rules.Decision, sent time.Duration, outcome balance.Outcome, speed balance.Speed) {
	now := s.router.now()
	took := now - a.Start()
	s.router.tel.attempt(targetOf(a.Node()), d, took, outcome)
	s.window.ended(now, took, outcome, speed)
	s.gates.ended(d.Route, now, outcome)
	a.Done(sent, now, outcome, speed)
}

// noInstances says why nobody could take a request.
func (s *service) noInstances(protocol string) error {
	e := &NoInstancesError{Service: s.name, Protocol: protocol}
	for _, c := range s.pool.Explain(s.router.now()) {
		e.Known++
		switch {
		case !c.Member.InService:
			e.NotInService++
		case protocol != "" && c.Member.Target.(*target).member.Address(protocol) == "":
			e.NoEndpoint++
		default:
			e.Out++
		}
	}
	return e
}
