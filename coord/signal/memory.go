// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/internal/wake"
)

// MemorySource is a source in this process, for tests: the test is the collector. The
// zero value is empty and ready to use.
type MemorySource struct {
	mu       sync.Mutex
	services map[string]*memoryFollower
	closed   bool
}

// Memory returns an empty source.
func Memory() *MemorySource { return &MemorySource{} }

// Put makes a share what its collector says of its shard. What is refused, as
// [Decode] would refuse it, changes nothing. The share must not be changed afterwards.
func (s *MemorySource) Put(share *Share) error {
	share, err := Decode(Encode(share))
	if err != nil {
		return err
	}
	f, err := s.follower(share.Service)
	if err != nil {
		return err
	}
	f.change(func(shares map[string]*Share) {
		shares[Key(share.Service, share.Shard, share.Shards, share.Collector)] = share
	})
	return nil
}

// Delete removes all that a collector says of a service, as the end of its lease
// does.
func (s *MemorySource) Delete(service, collector string) error {
	f, err := s.follower(service)
	if err != nil {
		return err
	}
	f.change(func(shares map[string]*Share) {
		maps.DeleteFunc(shares, func(_ string, share *Share) bool { return share.Collector == collector })
	})
	return nil
}

// Service implements [Source].
func (s *MemorySource) Service(ctx context.Context, name string) (Follower, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := s.follower(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (s *MemorySource) follower(name string) (*memoryFollower, error) {
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
	f := &memoryFollower{shares: make(map[string]*Share)}
	f.fleet.Store(Merge(nil))
	if s.services == nil {
		s.services = make(map[string]*memoryFollower)
	}
	s.services[name] = f
	return f, nil
}

// Close ends the channels of all followers.
func (s *MemorySource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, f := range s.services {
		f.updates.Close()
	}
	return nil
}

type memoryFollower struct {
	mu      sync.Mutex
	shares  map[string]*Share
	fleet   atomic.Pointer[Fleet]
	updates wake.Set
}

func (f *memoryFollower) change(do func(map[string]*Share)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(f.shares)
	f.fleet.Store(Merge(slices.Collect(maps.Values(f.shares))))
	f.updates.Notify()
}

func (f *memoryFollower) Fleet() *Fleet { return f.fleet.Load() }

func (f *memoryFollower) WaitReady(ctx context.Context) error { return ctx.Err() }

func (f *memoryFollower) Age() time.Duration { return 0 }

func (f *memoryFollower) Updates(ctx context.Context) <-chan struct{} {
	return f.updates.Add(ctx, wake.Always)
}
