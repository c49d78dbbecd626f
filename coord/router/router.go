// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"go.opentelemetry.io/otel/metric"
)

const (
	// DefaultEjectionBase is the hold of a first ejection, Envoy's and gRPC's.
	DefaultEjectionBase = balance.DefaultBase

	// maxServices bounds the services of one router: a caller that takes host names
	// from outside must not fill the memory.
	maxServices = 1000

	// checkInterval is how often the age of the signals is looked at, and what follows from
	// a service's own figures.
	checkInterval = time.Second
)

// Directory knows the instances of services. [discovery.Directory] and
// [*discovery.Table] are directories.
type Directory interface {
	Members(service string) []discovery.Member
	Updates(ctx context.Context) <-chan struct{}
	WaitReady(ctx context.Context) error
}

// Router chooses instances of services. Its methods are safe for concurrent use.
type Router struct {
	directory Directory
	signals   signal.Source
	documents rules.Source
	overrides override.Source
	meters    metric.MeterProvider
	base      time.Duration // 0: the document's
	zone      string
	caller    string
	labels    map[string]string
	policies  map[string]func() balance.Policy
	log       *slog.Logger

	tel     telemetry
	started time.Time
	ctx     context.Context // of the goroutines; ends with Close
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	probes  chan struct{} // one for each question on its way

	services atomic.Pointer[map[string]*service] // copied on write, with mu held
	mu       sync.Mutex
	closed   bool
}

// Option configures [New].
type Option func(*Router)

// WithSignals lets the router heed what the fleet knows. The router must be closed
// before the source.
func WithSignals(s signal.Source) Option { return func(r *Router) { r.signals = s } }

// WithSignalMeter sets where the router's measurements go: otelplat's
// Telemetry.SignalMeter; otherwise the global meter provider.
func WithSignalMeter(p metric.MeterProvider) Option { return func(r *Router) { r.meters = p } }

// WithRules lets a document for each service say how its requests are routed: by
// [rules.Etcd] or [rules.Memory]. The router must be closed before the source.
func WithRules(s rules.Source) Option { return func(r *Router) { r.documents = s } }

// WithOverrides lets operators take instances out and force breakers. The router must be
// closed before the source.
func WithOverrides(s override.Source) Option { return func(r *Router) { r.overrides = s } }

// WithZone says where this process is: instances of its zone are preferred.
func WithZone(zone string) Option { return func(r *Router) { r.zone = zone } }

// WithCaller says who this process is: its id (that of its instance), by which subsets of
// instances are chosen, and its labels, which routes may match.
func WithCaller(id string, labels map[string]string) Option {
	return func(r *Router) { r.caller, r.labels = id, maps.Clone(labels) }
}

// WithPolicy adds a policy of the user's own, which documents can name. It is made once for
// each service. The source of documents must know the name too.
func WithPolicy(name string, make func() balance.Policy) Option {
	return func(r *Router) {
		if r.policies == nil {
			r.policies = map[string]func() balance.Policy{}
		}
		r.policies[name] = make
	}
}

// WithEjectionBase sets how long an instance stays out the first time, whatever documents
// say ([DefaultEjectionBase]). Probes come a tenth of it apart, at least 50 ms. The
// collectors' signal processor must be set to the same.
func WithEjectionBase(base time.Duration) Option { return func(r *Router) { r.base = base } }

// WithLogger sets the router's logger; [slog.Default] otherwise.
func WithLogger(l *slog.Logger) Option { return func(r *Router) { r.log = l } }

// New returns a router over a directory, which must outlive it. It waits for nothing.
func New(d Directory, opts ...Option) (*Router, error) {
	if d == nil {
		return nil, errors.New("router: no directory")
	}
	r := &Router{directory: d, log: slog.Default(), started: time.Now(), probes: make(chan struct{}, maxProbes)}
	for _, o := range opts {
		o(r)
	}
	if r.base < 0 || r.base > signal.MaxHold {
		return nil, fmt.Errorf("router: ejection base %v, want more than 0 and at most %v", r.base, signal.MaxHold)
	}
	if r.caller == "" {
		r.caller = rand.Text() // one subset for as long as the process lives
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	r.tel = newTelemetry(r.meters)
	r.services.Store(&map[string]*service{})
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.wg.Go(r.follow)
	return r, nil
}

// Ready adds the services to the router and waits until the directory and their
// signals are loaded. Whether there are instances it does not say. A router that is
// used without it works with what it knows, which at first is nothing. It returns
// [ErrClosed], a [*coord.NameError] or what the wait ended with.
func (r *Router) Ready(ctx context.Context, services ...string) error {
	for _, name := range services {
		if _, err := r.service(name); err != nil {
			return err
		}
	}
	if err := r.directory.WaitReady(ctx); err != nil {
		return fmt.Errorf("router: %w", err)
	}
	for _, name := range services {
		s, err := r.service(name)
		if err != nil {
			return err
		}
		if err := s.waitReady(ctx); err != nil {
			return err
		}
		s.refresh()
	}
	return nil
}

// Close stops the router and waits for its goroutines. Requests on their way go on.
// It is idempotent.
func (r *Router) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
	return nil
}

// background runs a function that Close waits for, and reports whether it does: after Close
// it does not.
func (r *Router) background(do func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.wg.Go(do)
	return true
}

// now is the time that the balancers count in.
func (r *Router) now() time.Duration { return time.Since(r.started) }

// service returns a service, which is added when it is asked for first.
func (r *Router) service(name string) (*service, error) {
	if s := (*r.services.Load())[name]; s != nil {
		if r.ctx.Err() != nil {
			return nil, ErrClosed
		}
		return s, nil
	}
	if err := coord.CheckName("service", name); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	services := *r.services.Load()
	switch s := services[name]; {
	case r.closed:
		return nil, ErrClosed
	case s != nil:
		return s, nil
	case len(services) >= maxServices:
		return nil, fmt.Errorf("router: routes to %d services already, service %q exceeds the limit", maxServices, name)
	}
	s := newService(r, name)
	s.refresh() // whoever finds it finds its instances
	next := maps.Clone(services)
	next[name] = s
	r.services.Store(&next)
	s.refresh() // what changed before it could be told
	s.follow()
	return s, nil
}

// follow keeps the services current, until Close.
func (r *Router) follow() {
	updates := r.directory.Updates(r.ctx)
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case _, open := <-updates:
			if !open {
				updates = nil // the directory was closed; what it knew can still be read
			}
			for _, s := range *r.services.Load() {
				s.refresh()
			}
		case <-tick.C:
			for _, s := range *r.services.Load() {
				s.tick()
			}
		}
	}
}
