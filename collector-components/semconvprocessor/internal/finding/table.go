// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The names of services that have none, and of those beyond the bound.
const (
	UnknownService = "unknown_service"
	OtherServices  = "_other"
)

// Table holds what was found, by service. It is safe for concurrent use. Services
// have a lock each, which a batch takes once for each resource in it; no two locks
// are held at once.
type Table struct {
	maxFindings, maxServices int

	held atomic.Int64 // findings

	mu       sync.RWMutex
	services map[string]*service

	waiting sync.Mutex
	queue   []*Entry // to be told, the oldest first
}

type service struct {
	name string

	mu      sync.Mutex // guards the entries too
	entries map[Key]*Entry
}

// Entry is a finding of one service.
type Entry struct {
	Key
	Service     string
	Count       int64
	First, Last time.Time

	of     *service
	told   int64     // the count when it was last told
	toldAt time.Time // zero while it was not
	queued bool
}

// NewTable returns a table with bounds.
func NewTable(maxFindings, maxServices int) *Table {
	return &Table{maxFindings: maxFindings, maxServices: maxServices, services: make(map[string]*service)}
}

// Merge adds a tally, and empties it. It returns the service's name where it is
// one of those that the bound has room for, and how many findings the table had
// no room for. One at or above the level minimum that is new is put into the queue;
// fresh tells that there was one.
func (t *Table) Merge(name string, tally *Tally, now time.Time, minimum Level) (label string, overflow int64, fresh bool) {
	s := t.service(name)
	var queue []*Entry
	s.mu.Lock()
	unheld := tally.End(func(k Key, n int64) {
		e := s.entries[k]
		if e == nil {
			k.Name, k.Of = Text(k.Name), Text(k.Of) // here alone: a name that is held is text
			e = s.entries[k]
		}
		if e == nil {
			if t.held.Add(1) > int64(t.maxFindings) {
				t.held.Add(-1)
				overflow += n
				return
			}
			k.Name, k.Of = strings.Clone(k.Name), strings.Clone(k.Of) // not a part of a batch
			e = &Entry{Key: k, Service: s.name, First: now, of: s}
			s.entries[k] = e
			if k.Level >= minimum {
				e.queued = true
				queue = append(queue, e)
			}
		}
		e.Count += n
		e.Last = now
	})
	s.mu.Unlock()
	t.enqueue(queue)
	return s.name, overflow + unheld, len(queue) > 0
}

func (t *Table) enqueue(list []*Entry) {
	if len(list) > 0 {
		t.waiting.Lock()
		defer t.waiting.Unlock()
		t.queue = append(t.queue, list...)
	}
}

func (t *Table) service(name string) *service {
	if name = clip(name); name == "" {
		name = UnknownService
	}
	t.mu.RLock()
	s := t.services[name]
	t.mu.RUnlock()
	if s != nil {
		return s
	}
	name = Text(name) // it becomes an attribute of metrics, whose export fails with one that is none
	t.mu.Lock()
	defer t.mu.Unlock()
	if s = t.services[name]; s != nil {
		return s
	}
	if len(t.services) >= t.maxServices {
		name = OtherServices
		if s = t.services[name]; s != nil {
			return s
		}
	}
	s = &service{name: strings.Clone(name), entries: make(map[Key]*Entry)}
	t.services[s.name] = s
	return s
}

// Due puts into the queue what grew since it was told, and was last told before a
// time.
func (t *Table) Due(before time.Time) {
	t.mu.RLock()
	all := slices.Collect(maps.Values(t.services))
	t.mu.RUnlock()
	var queue []*Entry
	for _, s := range all {
		s.mu.Lock()
		for _, e := range s.entries {
			if !e.queued && !e.toldAt.IsZero() && e.Count > e.told && !e.toldAt.After(before) {
				e.queued = true
				queue = append(queue, e)
			}
		}
		s.mu.Unlock()
	}
	t.enqueue(queue)
}

// Next returns the finding that has waited longest to be told, and how many there
// were since it last was; false when none waits.
func (t *Table) Next(now time.Time) (e Entry, since int64, ok bool) {
	t.waiting.Lock()
	if len(t.queue) == 0 {
		t.queue = nil
		t.waiting.Unlock()
		return Entry{}, 0, false
	}
	next := t.queue[0]
	t.queue = t.queue[1:]
	t.waiting.Unlock()
	next.of.mu.Lock()
	defer next.of.mu.Unlock()
	since = next.Count - next.told
	next.queued, next.told, next.toldAt = false, next.Count, now
	return *next, since, true
}

// Waiting returns how many findings wait to be told.
func (t *Table) Waiting() int {
	t.waiting.Lock()
	defer t.waiting.Unlock()
	return len(t.queue)
}

// Held returns how many findings the table holds.
func (t *Table) Held() int64 { return t.held.Load() }
