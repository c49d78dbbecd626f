// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"slices"
	"sync"
)

// MemorySource is a source in this process, for programs and tests without etcd. [Memory]
// makes one.
type MemorySource struct {
	own []string

	mu       sync.Mutex
	services map[string]*memoryFollower
	closed   bool
}

// Memory returns an empty source. Own are the names of the policies that the router has
// beside those of this package.
func Memory(own ...string) *MemorySource {
	return &MemorySource{own: slices.Clone(own), services: make(map[string]*memoryFollower)}
}

// Put makes a text the document of a service, in its next revision. A bad one is treated as
// in etcd: [Follower.State] tells, and what was in force stays.
func (s *MemorySource) Put(service string, document []byte) error {
	return s.change(service, func(f *memoryFollower) {
		f.revision++
		f.offer(f.revision, document)
	})
}

// Delete takes the document of a service away.
func (s *MemorySource) Delete(service string) error {
	return s.change(service, func(f *memoryFollower) { f.withdraw() })
}

func (s *MemorySource) change(service string, do func(*memoryFollower)) error {
	f, err := s.follower(service)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
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
	if err := checkService(service); err != nil {
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
	h, err := newHolder(service, s.own)
	if err != nil {
		return nil, err
	}
	f := &memoryFollower{holder: h}
	f.withdraw() // it is known that there is none
	s.services[service] = f
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
	*holder
	mu       sync.Mutex // of changes
	revision int64      // that was put last
}

func (f *memoryFollower) WaitReady(ctx context.Context) error { return ctx.Err() }
