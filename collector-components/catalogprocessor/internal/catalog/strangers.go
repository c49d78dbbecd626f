// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// MaxStrangers is how many names of unknown services are remembered.
const MaxStrangers = 1000

// Strangers are the unknown services that were told of. The zero value is empty. It is
// safe for concurrent use; reads take no lock.
type Strangers struct {
	mu    sync.Mutex // held by who adds or forgets
	names atomic.Pointer[map[string]struct{}]
}

// Told reports whether a name was added.
func (s *Strangers) Told(name string) bool {
	names := s.names.Load()
	if names == nil {
		return false
	}
	_, ok := (*names)[name]
	return ok
}

// Full reports whether no more are remembered.
func (s *Strangers) Full() bool {
	names := s.names.Load()
	return names != nil && len(*names) >= MaxStrangers
}

// Add remembers a name, a part of a batch that is copied. It returns true to one caller
// for each name, and to nobody beyond the bound.
func (s *Strangers) Add(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Told(name) || s.Full() {
		return false
	}
	next := make(map[string]struct{}, 1)
	if names := s.names.Load(); names != nil {
		next = maps.Clone(*names)
	}
	next[strings.Clone(name)] = struct{}{}
	s.names.Store(&next)
	return true
}

// Forget begins anew, after the catalogue changed: who is still unknown is told of again.
func (s *Strangers) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names.Store(nil)
}
