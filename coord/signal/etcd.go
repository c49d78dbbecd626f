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

// progressInterval keeps the age of a quiet mirror well below MaxAge.
const progressInterval = 3 * time.Second

// Etcd returns the signals that the collectors write, each service's followed with a
// mirror of its own, so that a process receives what it needs and no more. It neither
// blocks nor needs etcd to be there. The caller closes it before the client.
func Etcd(c *coord.Client) Source {
	return &etcdSource{client: c, services: make(map[string]*etcdFollower)}
}

type etcdSource struct {
	client *coord.Client

	mu       sync.Mutex
	services map[string]*etcdFollower
	closed   bool
}

func (s *etcdSource) Service(ctx context.Context, name string) (Follower, error) {
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
		return nil, &TooManyError{Service: name, Limit: maxServices}
	}
	// Opening a mirror starts its goroutine and returns: no I/O under the lock.
	m, err := mirror.Open(ctx, s.client, ServicePrefix(name), decodeValue, mirror.WithProgressInterval(progressInterval))
	if err != nil {
		return nil, fmt.Errorf("signal: service %q: %w", name, err)
	}
	f := &etcdFollower{mirror: m}
	s.services[name] = f
	return f, nil
}

func (s *etcdSource) Close() error {
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

// etcdFollower holds the signals of one service.
type etcdFollower struct {
	mirror *mirror.Mirror[*Share]
	merged atomic.Pointer[merged]
}

// merged is the fleet as of one revision.
type merged struct {
	epoch    coord.Epoch
	revision int64
	fleet    *Fleet
}

// Fleet merges what the collectors say. The first reader of a new revision does so;
// others meanwhile may do so too, which costs them microseconds and saves everybody a
// lock.
func (f *etcdFollower) Fleet() *Fleet {
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

func (f *etcdFollower) WaitReady(ctx context.Context) error { return f.mirror.WaitReady(ctx) }

func (f *etcdFollower) Age() time.Duration { return f.mirror.Age() }

func (f *etcdFollower) Updates(ctx context.Context) <-chan struct{} { return f.mirror.Updates(ctx) }
