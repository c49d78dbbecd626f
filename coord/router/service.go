// SPDX-License-Identifier: Apache-2.0

package router

import (
	"reflect"
	"sync"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/internal/wake"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
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
	signals signal.Follower // nil without signals
	updates wake.Set        // for gRPC: the members changed

	mu      sync.Mutex // of what refresh compares with
	targets map[string]*target
	fleet   *signal.Fleet
}

// targetOf returns how an instance is reached: what this package gave the pool.
func targetOf(n *node) *target { return n.Target().(*target) }

// target is how an instance is reached and reported. It is immutable.
type target struct {
	member discovery.Member
	http   string // host:port, "" when it does not serve HTTP
	grpc   string
	attrs  []attribute.KeyValue // of its measurements and events
	record [balance.Outcomes][]metric.RecordOption
}

func newService(r *Router, name string) *service {
	s := &service{router: r, name: name, targets: make(map[string]*target)}
	s.pool = balance.New(s.settings(), func(e balance.Event) { r.tel.decided(name, e) })
	if r.signals != nil {
		f, err := r.signals.Service(r.ctx, name)
		if err != nil {
			// Without signals the router still has its own eyes.
			r.log.Warn("router: no signals", "service", name, "error", err)
		} else {
			s.signals = f
		}
	}
	return s
}

// settings say how the pool works.
func (s *service) settings() balance.Settings {
	settings := balance.Default()
	settings.Ejection.Base = s.router.base
	return settings
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
			t, changed = s.newTarget(m), true
		}
		targets[m.ID] = t
		members[i] = balance.Member{
			ID: m.ID, Weight: m.Weight, InService: m.Status == discovery.Up, Unconfirmed: m.Unconfirmed, Zone: m.Zone, Target: t,
		}
	}
	s.targets = targets
	s.fleet = s.currentFleet()
	s.pool.Update(s.router.now(), members, s.fleet)
	if changed {
		s.updates.Notify()
	}
}

// checkAge refreshes when the signals became too old to be heeded, or young enough.
func (s *service) checkAge() {
	if s.signals == nil {
		return
	}
	s.mu.Lock()
	changed := (s.currentFleet() == nil) != (s.fleet == nil)
	s.mu.Unlock()
	if changed {
		s.refresh()
	}
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
	t.record = recordOptions(t.attrs)
	return t
}

// done reports how an attempt ended, to the pool and to the fleet. Sent is when the
// instance got it, 0 when nobody knows.
func (s *service) done(a attempt, sent time.Duration, outcome balance.Outcome, speed balance.Speed) {
	now := s.router.now()
	s.router.tel.attempt(targetOf(a.Node()), now-a.Start(), outcome)
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
		case c.Member.Target.(*target).member.Address(protocol) == "":
			e.NoEndpoint++
		default:
			e.Out++
		}
	}
	return e
}
