// SPDX-License-Identifier: Apache-2.0

// Package wake tells many readers that something changed, without ever waiting
// for one of them: each has a channel that holds one mark, so that a slow reader
// sees one wake-up for many changes and then looks at the newest state.
package wake

import (
	"context"
	"sync"
)

// Set holds the channels of those who want to hear. The zero value is ready to
// use; all methods are safe for concurrent use.
type Set struct {
	mu       sync.Mutex
	channels map[chan struct{}]struct{}
	closed   bool
}

// Add returns a channel that is closed when the context ends or the set is
// closed. It holds a mark already when already, which may be nil, says that there
// is something to look at. The question is asked when the channel can hear
// [Set.Notify]: what is stored before a Notify is never missed.
func (s *Set) Add(ctx context.Context, already func() bool) <-chan struct{} {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(ch)
		return ch
	}
	if already != nil && already() {
		ch <- struct{}{}
	}
	if s.channels == nil {
		s.channels = make(map[chan struct{}]struct{})
	}
	s.channels[ch] = struct{}{}
	context.AfterFunc(ctx, func() { s.remove(ch) })
	return ch
}

// Always is for [Set.Add] where there is something to look at from the start.
func Always() bool { return true }

func (s *Set) remove(ch chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.channels[ch]; ok {
		delete(s.channels, ch)
		close(ch)
	}
}

// Notify marks every channel that holds no mark. It does not block.
func (s *Set) Notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.channels {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Close closes all channels, and those that are added later.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for ch := range s.channels {
		close(ch)
	}
	s.channels = nil
}
