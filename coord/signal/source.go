// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
)

// MaxAge is how old a reader's copy of the signals may be before they are
// ignored: half of it is the time that a collector's lease outlives the
// collector.
const MaxAge = 15 * time.Second

// progressInterval keeps the age of a quiet mirror well below MaxAge.
const progressInterval = 3 * time.Second

// maxServices bounds how many services one process follows. A service calls a
// handful; a thousand is a mistake in the caller.
const maxServices = 1000

// ErrClosed is returned by [Source.Service] after Close.
var ErrClosed = errors.New("signal: source is closed")

// Source follows the signals of the services that are asked for, each with a
// mirror of its own, so that a process receives what it needs and no more. Its
// methods are safe for concurrent use.
type Source struct {
	client *coord.Client

	mu       sync.Mutex
	services map[string]*Follower
	closed   bool
}

// Open returns a source of signals. It neither blocks nor needs etcd to be
// there. The caller closes it before the client.
func Open(c *coord.Client) *Source {
	return &Source{client: c, services: make(map[string]*Follower)}
}

// Service returns the follower of one service, which lives until the source is
// closed; asking again returns the same one. It returns a [*coord.NameError] for
// a name that no service can have, and [ErrClosed].
func (s *Source) Service(ctx context.Context, name string) (*Follower, error) {
	if err := coord.CheckName("service", name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.services[name]; {
	case s.closed:
		return nil, ErrClosed
	case f != nil:
		return f, nil
	case len(s.services) >= maxServices:
		return nil, fmt.Errorf("signal: follows %d services already, service %q exceeds the limit", maxServices, name)
	}
	// Opening a mirror starts its goroutine and returns: no I/O under the lock.
	m, err := mirror.Open(ctx, s.client, ServicePrefix(name), decodeValue, mirror.WithProgressInterval(progressInterval))
	if err != nil {
		return nil, fmt.Errorf("signal: service %q: %w", name, err)
	}
	f := &Follower{mirror: m}
	s.services[name] = f
	return f, nil
}

// Close stops all followers and waits for them. It is idempotent.
func (s *Source) Close() error {
	s.mu.Lock()
	s.closed = true
	followers := s.services
	s.services = nil
	s.mu.Unlock()
	var errs []error
	for _, f := range followers {
		errs = append(errs, f.mirror.Close())
	}
	return errors.Join(errs...)
}

// decodeValue reads a share and checks that it is where it says it belongs: a
// collector that writes under another's key would be counted twice.
func decodeValue(key string, value []byte) (*Share, error) {
	share, err := Decode(value)
	if err != nil {
		return nil, err
	}
	if shard, collector, ok := strings.Cut(key, "/"); !ok || collector != share.Collector ||
		shard != fmt.Sprintf("%d-%d", share.Shard, share.Shards) {
		return nil, fmt.Errorf("signal: share %d-%d of collector %q under key %q", share.Shard, share.Shards, share.Collector, key)
	}
	return share, nil
}

// Follower holds the signals of one service. Reads are lock-free.
type Follower struct {
	mirror *mirror.Mirror[*Share]
	merged atomic.Pointer[merged]
}

// merged is the fleet as of one revision.
type merged struct {
	epoch    coord.Epoch
	revision int64
	fleet    *Fleet
}

// Fleet returns what the collectors say of the service's instances, nil when
// nothing was loaded yet or when the copy is older than [MaxAge]. The result is
// immutable. The first reader of a new revision merges it; others meanwhile may
// merge too, which costs them microseconds and saves everybody a lock.
func (f *Follower) Fleet() *Fleet {
	if f.mirror.Age() > MaxAge {
		return nil
	}
	view := f.mirror.View()
	if m := f.merged.Load(); m != nil && m.revision == view.Revision() && m.epoch == view.Epoch() {
		return m.fleet
	}
	shares := make([]*Share, 0, view.Len())
	for _, share := range view.All() {
		shares = append(shares, share)
	}
	m := &merged{epoch: view.Epoch(), revision: view.Revision(), fleet: Merge(shares)}
	f.merged.Store(m)
	return m.fleet
}

// WaitReady waits until the signals were loaded once. Without collectors that is
// an empty fleet.
func (f *Follower) WaitReady(ctx context.Context) error { return f.mirror.WaitReady(ctx) }

// Age returns how long ago the signals were known to be current.
func (f *Follower) Age() time.Duration { return f.mirror.Age() }

// Updates returns a channel that is sent to when the signals changed, coalesced,
// and closed when ctx or the source ends.
func (f *Follower) Updates(ctx context.Context) <-chan struct{} { return f.mirror.Updates(ctx) }
