// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// MaxStrangers is how many names of unknown services are remembered.
const MaxStrangers = 1000

// MaxStranger bounds, in bytes, what is remembered of a name.
const MaxStranger = 256

// ForgetAfter is how long a name is remembered at most: who is still unknown then is told
// of again, and names that somebody made up take no room for ever.
const ForgetAfter = time.Hour

// Strangers are the unknown services that were told of. The zero value is empty. It is
// safe for concurrent use; reads take no lock.
type Strangers struct {
	mu    sync.Mutex // held by who adds or forgets
	began time.Time  // the zero time: with the next look
	names atomic.Pointer[map[string]struct{}]
}

// Told reports whether a name was added.
func (s *Strangers) Told(name string) bool {
	names := s.names.Load()
	if names == nil {
		return false
	}
	_, ok := (*names)[name[:min(len(name), MaxStranger)]]
	return ok
}

// Full reports whether no more are remembered.
func (s *Strangers) Full() bool {
	names := s.names.Load()
	return names != nil && len(*names) >= MaxStrangers
}

// Add remembers the beginning of a name, a part of a batch that is copied. It returns true to one caller
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
	next[strings.Clone(name[:min(len(name), MaxStranger)])] = struct{}{}
	s.names.Store(&next)
	return true
}

// Forget begins anew, after the catalogue changed: who is still unknown is told of again.
func (s *Strangers) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names.Store(nil)
}

// Look begins anew when ForgetAfter passed since it last did.
func (s *Strangers) Look(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.began.IsZero():
		s.began = now
	case now.Sub(s.began) >= ForgetAfter:
		s.began = now
		s.names.Store(nil)
	}
}
