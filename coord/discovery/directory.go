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

// Directory knows the instances of all services of the namespace. Reads take no
// lock; the slices that they return are shared and must not be changed.
type Directory struct {
	mirror   *mirror.Mirror[record]
	services atomic.Pointer[map[string][]Member]
	ready    chan struct{}
	updates  wake.Set
	cancel   context.CancelFunc
	done     chan struct{}
	ttl      time.Duration // of registrations that do not say theirs

	mu   sync.Mutex
	down map[string]struct{} // keys whose last value said so
}

// Open returns a directory. It does not wait for etcd: it is empty until
// [Directory.WaitReady] returns. The context is for the call only. Close the
// directory before the client.
func Open(ctx context.Context, c *coord.Client, opts ...DirectoryOption) (*Directory, error) {
	d := &Directory{ready: make(chan struct{}), done: make(chan struct{}), ttl: DefaultTTL, down: make(map[string]struct{})}
	for _, o := range opts {
		o(d)
	}
	m, err := mirror.Open(ctx, c, "discovery/", d.decode)
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

// DirectoryOption configures [Open].
type DirectoryOption func(*Directory)

// WithExpectedTTL tells the directory the TTL, within which instances count as having
// vanished together, of registrations that do not say theirs ([DefaultTTL]).
func WithExpectedTTL(ttl time.Duration) DirectoryOption {
	return func(d *Directory) { d.ttl = max(ttl, minTTL) }
}

// Members returns the instances of a service in the order of their ids, whatever
// their status, with those that are held as unconfirmed.
func (d *Directory) Members(service string) []Member { return (*d.services.Load())[service] }

// Services returns the names of the services that have instances, in order.
func (d *Directory) Services() []string {
	return slices.Sorted(maps.Keys(*d.services.Load()))
}

// Updates returns a channel that is sent to after anything changed, at once when
// the directory is loaded, and closed when the context or the directory ends.
func (d *Directory) Updates(ctx context.Context) <-chan struct{} {
	return d.updates.Add(ctx, func() bool { return d.mirror.Revision() > 0 })
}

// WaitReady waits for the first load.
func (d *Directory) WaitReady(ctx context.Context) error {
	select {
	case <-d.ready:
		return nil
	case <-d.done:
		return mirror.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("discovery: not loaded: %w", ctx.Err())
	}
}

// Age returns how long ago the directory was known to be current.
func (d *Directory) Age() time.Duration { return d.mirror.Age() }

// Close stops the directory and waits. What it knew can still be read.
func (d *Directory) Close() error {
	d.cancel()
	<-d.done
	return d.mirror.Close()
}

// run keeps the members current: on changes, and when a hold ends.
func (d *Directory) run(ctx context.Context) {
	defer close(d.done)
	defer d.updates.Close()
	holds := make(map[string]*hold)
	var epoch coord.Epoch
	updates := d.mirror.Updates(ctx)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	first := true
	for {
		select {
		case _, open := <-updates:
			if !open {
				return
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
func (d *Directory) decode(key string, raw []byte) (record, error) {
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
func (d *Directory) takeLeft(view mirror.View[record]) []string {
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
func (d *Directory) apply(now time.Time, view mirror.View[record], holds map[string]*hold, newEpoch bool) time.Duration {
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
			services[service] = members
		} else if len(h.lost) == 0 {
			delete(holds, service)
		}
	}
	d.services.Store(&services)
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
func (d *Directory) report(service string, before, after int, holdFor time.Duration) {
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
