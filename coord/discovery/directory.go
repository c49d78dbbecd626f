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
	holds := make(map[string]*hold)
	var epoch coord.Epoch
	updates := d.mirror.Updates(ctx)
	var judged <-chan struct{}
	if d.verdicts.Updates != nil {
		judged = d.verdicts.Updates(ctx)
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	first := true
	for {
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
		case <-timer.C:
		}
		view := d.mirror.View()
		changedEpoch := !first && view.Epoch() != epoch
		epoch = view.Epoch()
		next := d.apply(time.Now(), view, holds, changedEpoch)
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

// apply computes the members of all services and returns when to look again.
func (d *directory) apply(now time.Time, view mirror.View[record], holds map[string]*hold, newEpoch bool) time.Duration {
	announced := make(map[string]map[string]Instance)
	ttls := make(map[string]time.Duration)
	for key, r := range view.All() {
		service, _, _ := strings.Cut(key, "/")
		if announced[service] == nil {
			announced[service] = make(map[string]Instance)
		}
		announced[service][r.ID] = r.Instance
		ttl := r.ttl
		if ttl == 0 {
			ttl = d.ttl
		}
		ttls[service] = max(ttls[service], ttl)
	}
	for _, key := range d.takeLeft(view) {
		service, id, _ := strings.Cut(key, "/")
		if h := holds[service]; h != nil {
			h.left(id)
		}
	}
	for service := range announced {
		if holds[service] == nil {
			holds[service] = newHold(d.ttl)
		}
	}
	services := make(map[string][]Member, len(holds))
	wait := time.Hour
	for service, h := range holds {
		present := announced[service]
		if present == nil {
			present = make(map[string]Instance)
		}
		before := h.held()
		h.update(now, present, newEpoch)
		h.expect(max(ttls[service], minTTL))
		if next := h.expire(now); !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
		d.report(service, before, h.held(), h.holdFor())
		if members := h.members(); len(members) > 0 {
			d.verdicts.contradict(members)
			services[service] = members
		} else if len(h.lost) == 0 {
			delete(holds, service)
		}
	}
	d.services.Store(&services)
	if d.observer != nil {
		d.observer.observe(now, services, func(service, id string) bool {
			h := holds[service]
			if h == nil {
				return false
			}
			_, lost := h.lost[id]
			return lost
		})
	}
	return max(wait, 10*time.Millisecond)
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
