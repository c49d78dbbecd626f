// SPDX-License-Identifier: Apache-2.0

package override

import (
	"context"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/internal/wake"
)

// MemorySource is a source in this process, for programs and tests without etcd. The zero
// value is empty and ready to use.
type MemorySource struct {
	mu       sync.Mutex
	services map[string]*memoryFollower
	closed   bool
}

// Memory returns an empty source.
func Memory() *MemorySource { return &MemorySource{} }

// Set forces what the override says, as [Set] does in etcd.
func (s *MemorySource) Set(o Override) error {
	if err := o.check(); err != nil {
		return err
	}
	return s.change(o.Service, func(f *memoryFollower) { f.set(&o) })
}

// Clear ends an override, as [Clear] does in etcd.
func (s *MemorySource) Clear(o Override) error {
	if err := o.checkTarget(); err != nil {
		return err
	}
	return s.change(o.Service, func(f *memoryFollower) { f.end(o.Target(), nil) })
}

func (s *MemorySource) change(service string, do func(*memoryFollower)) error {
	f, err := s.follower(service)
	if err != nil {
		return err
	}
	do(f)
	return nil
}

// Follow implements [Source].
func (s *MemorySource) Follow(ctx context.Context, service string) (Follower, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := s.follower(service)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (s *MemorySource) follower(service string) (*memoryFollower, error) {
	if err := coord.CheckName("service", service); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.services[service]; {
	case s.closed:
		return nil, ErrClosed
	case f != nil:
		return f, nil
	case len(s.services) >= maxServices:
		return nil, &TooManyError{Service: service, Limit: maxServices}
	}
	f := &memoryFollower{there: make(map[string]timed)}
	if s.services == nil {
		s.services = make(map[string]*memoryFollower)
	}
	s.services[service] = f
	return f, nil
}

// Close ends the channels of all followers, and the timers.
func (s *MemorySource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, f := range s.services {
		f.close()
	}
	return nil
}

type memoryFollower struct {
	holder

	mu     sync.Mutex // of changes
	there  map[string]timed
	closed bool
}

type timed struct {
	override *Override
	end      *time.Timer
}

func (f *memoryFollower) set(o *Override) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if before, ok := f.there[o.Target()]; ok {
		before.end.Stop()
	}
	f.there[o.Target()] = timed{o, time.AfterFunc(o.For, func() { f.end(o.Target(), o) })}
	f.publishThere()
}

// end takes an override away, unless it is another than the one whose time is over.
func (f *memoryFollower) end(target string, over *Override) {
	f.mu.Lock()
	defer f.mu.Unlock()
	is, ok := f.there[target]
	if !ok || f.closed || over != nil && is.override != over {
		return
	}
	is.end.Stop()
	delete(f.there, target)
	f.publishThere()
}

func (f *memoryFollower) publishThere() {
	var list []*Override
	for _, t := range f.there {
		list = append(list, t.override)
	}
	f.publish(newCurrent(list), endedInEtcd)
}

func (f *memoryFollower) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, t := range f.there {
		t.end.Stop()
	}
	f.updates.Close()
}

func (f *memoryFollower) WaitReady(ctx context.Context) error { return ctx.Err() }

func (f *memoryFollower) Age() time.Duration { return 0 }

func (f *memoryFollower) Updates(ctx context.Context) <-chan struct{} {
	return f.updates.Add(ctx, wake.Always)
}
