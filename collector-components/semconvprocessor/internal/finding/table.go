// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"strings"
	"sync"
	"time"
)

// The names of services that have none, and of those beyond the bound.
const (
	UnknownService = "unknown_service"
	OtherServices  = "_other"
)

// Table holds what was found, by service. It is safe for concurrent use; batches
// take its lock once for each service in them.
type Table struct {
	maxFindings, maxServices int

	mu       sync.Mutex
	services map[string]*service
	held     int      // findings
	overflow int64    // that there was no room for
	queue    []*Entry // to be told, the oldest first
}

type service struct {
	name    string
	entries map[Key]*Entry
}

// Entry is a finding of one service.
type Entry struct {
	Key
	Service     string
	Count       int64
	First, Last time.Time

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
// no room for. One at or above the level min that is new is put into the queue;
// fresh tells that there was one.
func (t *Table) Merge(name string, tally *Tally, now time.Time, minimum Level) (label string, overflow int64, fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.service(name)
	overflow += tally.End(func(k Key, n int64) {
		e := s.entries[k]
		if e == nil {
			if t.held >= t.maxFindings {
				overflow += n
				return
			}
			k.Name, k.Of = strings.Clone(k.Name), strings.Clone(k.Of) // not a part of a batch
			e = &Entry{Key: k, Service: s.name, First: now}
			s.entries[k] = e
			t.held++
			if k.Level >= minimum {
				e.queued, fresh = true, true
				t.queue = append(t.queue, e)
			}
		}
		e.Count += n
		e.Last = now
	})
	t.overflow += overflow
	return s.name, overflow, fresh
}

func (t *Table) service(name string) *service {
	if name = clip(name); name == "" {
		name = UnknownService
	}
	s := t.services[name]
	if s != nil {
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

// Label returns the name under which a service is counted.
func (t *Table) Label(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.service(name).name
}

// Due puts into the queue what grew since it was told, and was last told before a
// time. It returns whether there is anything in the queue.
func (t *Table) Due(before time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.services {
		for _, e := range s.entries {
			if !e.queued && !e.toldAt.IsZero() && e.Count > e.told && !e.toldAt.After(before) {
				e.queued = true
				t.queue = append(t.queue, e)
			}
		}
	}
	return len(t.queue) > 0
}

// Next returns the finding that has waited longest to be told, and how many there
// were since it last was; false when none waits.
func (t *Table) Next(now time.Time) (e Entry, since int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.queue = nil
		return Entry{}, 0, false
	}
	next := t.queue[0]
	t.queue = t.queue[1:]
	since = next.Count - next.told
	next.queued, next.told, next.toldAt = false, next.Count, now
	return *next, since, true
}

// Waiting returns how many findings wait to be told.
func (t *Table) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.queue)
}

// Held returns how many findings the table holds, and how many it had no room for.
func (t *Table) Held() (held int, overflow int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held, t.overflow
}
