// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
	"github.com/otelplat/platform/internal/wake"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

const scope = "github.com/otelplat/platform/coord/discovery"

// directory follows the keys of all instances with a mirror.
type directory struct {
	mirror   *mirror.Mirror[record]
	services atomic.Pointer[map[string][]Member]
	ready    chan struct{}
	updates  wake.Set
	cancel   context.CancelFunc
	done     chan struct{}
	ttl      time.Duration // of registrations that do not say theirs
	verdicts Verdicts
	observer *observer // nil: nobody is told

	mu   sync.Mutex
	down map[string]struct{} // keys whose last value said so
}

// Directory implements [Registry]. It does not wait for etcd.
func (e etcdRegistry) Directory(ctx context.Context, opts ...DirectoryOption) (Directory, error) {
	o := directoryOptions{ttl: DefaultTTL}
	for _, opt := range opts {
		opt(&o)
	}
	d := &directory{
		ready: make(chan struct{}), done: make(chan struct{}), ttl: o.ttl, verdicts: o.verdicts, down: make(map[string]struct{}),
	}
	if o.events {
		d.observer = newObserver()
	}
	m, err := mirror.Open(ctx, e.client, "discovery/", d.decode, mirror.WithSavedState())
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	d.mirror = m
	d.services.Store(&map[string][]Member{})
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	d.cancel = cancel
	go d.run(run)
	return d, nil
}

func (d *directory) Members(service string) []Member { return (*d.services.Load())[service] }

func (d *directory) Services() []string {
	return slices.Sorted(maps.Keys(*d.services.Load()))
}

func (d *directory) Updates(ctx context.Context) <-chan struct{} {
	return d.updates.Add(ctx, func() bool { return d.mirror.Revision() > 0 })
}

func (d *directory) WaitReady(ctx context.Context) error {
	select {
	case <-d.ready:
		return nil
	case <-d.done:
		return mirror.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("discovery: not loaded: %w", ctx.Err())
	}
}

func (d *directory) Age() time.Duration { return d.mirror.Age() }

func (d *directory) Close() error {
	d.cancel()
	<-d.done
	return d.mirror.Close()
}

// run keeps the members current: on changes, and when a hold ends.
func (d *directory) run(ctx context.Context) {
	defer close(d.done)
	defer d.updates.Close()
	f := &fleet{records: make(map[string]map[string]record), holds: make(map[string]*hold)}
	updates := d.mirror.Updates(ctx)
	var judged <-chan struct{}
	if d.verdicts.Updates != nil {
		judged = d.verdicts.Updates(ctx)
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	first := true
	for {
		all := false
		select {
		case _, open := <-updates:
			if !open {
				return
			}
		case _, open := <-judged:
			if !open {
				judged = nil
			}
			if first {
				continue // there is nobody to judge yet
			}
			all = true
		case <-timer.C:
		}
		next := d.apply(time.Now(), d.mirror.View(), f, all)
		if first {
			close(d.ready)
			first = false
		}
		d.updates.Notify()
		timer.Reset(next)
	}
}

// decode notes who is about to leave. Between two looks at the mirror an instance may
// say so and be gone: the looks alone cannot tell that from a loss.
func (d *directory) decode(key string, raw []byte) (record, error) {
	r, err := decode(key, raw)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && r.Status == Down {
		d.down[key] = struct{}{}
	} else {
		delete(d.down, key)
	}
	return r, err
}

// takeLeft returns the keys that said they would go and are gone.
func (d *directory) takeLeft(view mirror.View[record]) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var left []string
	for key := range d.down {
		if _, there := view.Get(key); !there {
			left = append(left, key)
			delete(d.down, key)
		}
	}
	return left
}

// fleet is what a directory knows, of its goroutine only: what is announced as of a view,
// and what vanished.
type fleet struct {
	view    mirror.View[record]
	records map[string]map[string]record // by service and id
	holds   map[string]*hold
	epoch   coord.Epoch
}

// take takes over what changed since the last view, and returns the services that it
// touches.
func (f *fleet) take(view mirror.View[record]) map[string]bool {
	touched := make(map[string]bool)
	for _, c := range view.Since(f.view) {
		service, id, _ := strings.Cut(c.Key, "/")
		touched[service] = true
		if c.Deleted {
			delete(f.records[service], id)
			if len(f.records[service]) == 0 {
				delete(f.records, service)
			}
			continue
		}
		if f.records[service] == nil {
			f.records[service] = make(map[string]record)
		}
		f.records[service][id] = c.Value
	}
	f.view = view
	return touched
}

// apply computes the members of the services that changed, of those that miss somebody, and
// of all when all are to be judged anew. It returns when to look again.
func (d *directory) apply(now time.Time, view mirror.View[record], f *fleet, all bool) time.Duration {
	newEpoch := f.epoch != "" && view.Epoch() != f.epoch
	f.epoch = view.Epoch()
	touched := f.take(view)
	for _, key := range d.takeLeft(view) {
		service, id, _ := strings.Cut(key, "/")
		if h := f.holds[service]; h != nil {
			h.left(id)
			touched[service] = true
		}
	}
	for service, h := range f.holds {
		if all || newEpoch || len(h.lost) > 0 {
			touched[service] = true
		}
	}
	services := maps.Clone(*d.services.Load())
	wait := time.Hour
	for service := range touched {
		members, next := d.look(now, service, f, newEpoch)
		if len(members) > 0 {
			services[service] = members
		} else {
			delete(services, service)
		}
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
	}
	d.services.Store(&services)
	if d.observer != nil {
		d.observer.observe(now, services, func(service, id string) bool {
			h := f.holds[service]
			if h == nil {
				return false
			}
			_, lost := h.lost[id]
			return lost
		})
	}
	return max(wait, 10*time.Millisecond)
}

// look computes the members of one service, and when to look at it again.
func (d *directory) look(now time.Time, service string, f *fleet, newEpoch bool) (members []Member, next time.Time) {
	h := f.holds[service]
	if h == nil {
		h = newHold(d.ttl)
		f.holds[service] = h
	}
	present := make(map[string]Instance, len(f.records[service]))
	var ttl time.Duration
	for id, r := range f.records[service] {
		present[id] = r.Instance
		if r.ttl == 0 {
			r.ttl = d.ttl
		}
		ttl = max(ttl, r.ttl)
	}
	before := h.held()
	h.update(now, present, newEpoch)
	h.expect(max(ttl, minTTL))
	next = h.expire(now)
	d.report(service, before, h.held(), h.holdFor())
	members = h.members()
	d.verdicts.contradict(members)
	if len(members) == 0 && len(h.lost) == 0 {
		delete(f.holds, service)
	}
	return members, next
}

// held returns how many instances are kept as unconfirmed.
func (h *hold) held() int {
	n := 0
	for _, l := range h.lost {
		if l.held {
			n++
		}
	}
	return n
}

// report says in an event when a hold begins and when it ends.
func (d *directory) report(service string, before, after int, holdFor time.Duration) {
	var r log.Record
	switch {
	case after > before:
		r.SetEventName(semconv.EventDiscoveryHold)
		r.SetSeverity(log.SeverityWarn)
		r.AddAttributes(attribute.Float64("otelplat.discovery.hold", holdFor.Seconds()))
	case after == 0 && before > 0:
		r.SetEventName(semconv.EventDiscoveryRelease)
		r.SetSeverity(log.SeverityInfo)
	default:
		return
	}
	r.AddAttributes(attribute.String(semconv.DiscoveryService, service), attribute.Int(semconv.DiscoveryInstances, max(after, before)))
	otel.GetLoggerProvider().Logger(scope).Emit(context.Background(), r)
}
