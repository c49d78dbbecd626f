// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/internal/wake"
)

// MaxMemoryKeys is how many keys a store in memory holds.
const MaxMemoryKeys = 100_000

// Memory returns a backend that lives in this process: for tests, and for a
// service that runs alone.
func Memory() Backend {
	closing, end := context.WithCancel(context.Background()) // ends with Close
	return &memory{entries: make(map[string]*memoryEntry), fences: make(map[string]lock.Token), closing: closing, end: end}
}

type memory struct {
	closing context.Context // ends with Close: the owner's lifetime
	end     context.CancelFunc
	watches sync.WaitGroup
	changed wake.Set

	mu       sync.Mutex
	entries  map[string]*memoryEntry
	fences   map[string]lock.Token // the greatest token that has written, by its lock
	revision int64
}

type memoryEntry struct {
	Entry
	expiry *time.Timer // nil for ever
}

func (m *memory) Get(ctx context.Context, key string, _ Staleness) (Entry, error) {
	if err := m.usable(ctx); err != nil {
		return Entry{}, fmt.Errorf("kv: get %q: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e == nil {
		return Entry{}, fmt.Errorf("%w: %q", ErrNotFound, key)
	}
	return e.copy(), nil
}

// copy keeps the caller from changing what others read.
func (e *memoryEntry) copy() Entry {
	c := e.Entry
	c.Value = slices.Clone(c.Value)
	return c
}

func (m *memory) usable(ctx context.Context) error {
	if m.closing.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

func (m *memory) List(ctx context.Context, q Query) (Page, error) {
	if err := m.usable(ctx); err != nil {
		return Page{}, fmt.Errorf("kv: list %q: %w", q.Prefix, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.entries {
		if strings.HasPrefix(key, q.Prefix) && (q.After == "" || key > q.After) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	p := Page{Revision: m.revision, More: len(keys) > q.Limit}
	for _, key := range keys[:min(len(keys), q.Limit)] {
		p.Entries = append(p.Entries, m.entries[key].copy())
	}
	return p, nil
}

func (m *memory) Commit(ctx context.Context, conditions []Condition, operations []Operation) (int64, error) {
	if err := m.usable(ctx); err != nil {
		return 0, fmt.Errorf("kv: commit: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range conditions {
		if c.Token.Key != "" {
			if err := m.fenced(c.Token); err != nil {
				return 0, err
			}
			continue
		}
		actual := int64(0)
		if e := m.entries[c.Key]; e != nil {
			actual = e.Revision
		}
		if actual != c.Revision {
			return 0, &ConflictError{Key: c.Key, Expected: c.Revision, Actual: actual}
		}
	}
	if n := m.after(operations); n > MaxMemoryKeys && n > len(m.entries) {
		return 0, &LimitError{"number of keys", n, MaxMemoryKeys}
	}
	for _, c := range conditions {
		if c.Token.Key != "" {
			m.fences[c.Token.Lock()] = c.Token
		}
	}
	next := m.revision + 1
	for _, o := range operations {
		if m.apply(o, next) {
			m.revision = next
		}
	}
	m.changed.Notify()
	return m.revision, nil
}

// fenced refuses a token that is before the greatest that has written.
func (m *memory) fenced(t lock.Token) error {
	greatest, seen := m.fences[t.Lock()]
	if !seen && len(m.fences) >= MaxMemoryKeys {
		return &LimitError{"number of locks", len(m.fences) + 1, MaxMemoryKeys}
	}
	late, err := t.Before(greatest)
	switch {
	case !seen:
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFenced, err)
	case late:
		return fmt.Errorf("%w: %s", ErrFenced, t.Key)
	}
	return nil
}

// after returns how many keys there are when the operations are done.
func (m *memory) after(operations []Operation) int {
	n := len(m.entries)
	for _, o := range operations {
		switch _, there := m.entries[o.Key]; {
		case there && o.Delete:
			n--
		case !there && !o.Delete:
			n++
		}
	}
	return n
}

// apply does one operation and reports whether it changed anything.
func (m *memory) apply(o Operation, revision int64) bool {
	was := m.entries[o.Key]
	if was != nil && was.expiry != nil {
		was.expiry.Stop()
	}
	if o.Delete {
		delete(m.entries, o.Key)
		return was != nil
	}
	e := &memoryEntry{Entry: Entry{Key: o.Key, Value: slices.Clone(o.Value), Revision: revision}}
	if o.TTL > 0 {
		e.expiry = time.AfterFunc(o.TTL, func() { m.expire(e) })
	}
	m.entries[o.Key] = e
	return true
}

func (m *memory) expire(e *memoryEntry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[e.Key] == e {
		delete(m.entries, e.Key)
		m.revision++
		m.changed.Notify()
	}
}

func (m *memory) Watch(ctx context.Context, prefix string) (<-chan Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return nil, fmt.Errorf("kv: watch %q: %w", prefix, err)
	}
	changes := make(chan Change)
	run, cancel := context.WithCancel(ctx)
	updates := m.changed.Add(run, wake.Always)
	m.watches.Go(func() {
		defer close(changes)
		defer context.AfterFunc(m.closing, cancel)()
		defer cancel()
		told := make(map[string]int64)
		synced := false
		for range updates {
			list, revision := m.difference(prefix, told)
			if !synced {
				synced = true
				list = append(list, Change{Kind: Synced, Entry: Entry{Revision: revision}})
			}
			for _, c := range list {
				select {
				case changes <- c:
					note(told, c)
				case <-run.Done():
					return
				}
			}
		}
	})
	return changes, nil
}

// difference returns what there is and told has not, in the order of revisions.
func (m *memory) difference(prefix string, told map[string]int64) ([]Change, int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Change
	for key, e := range m.entries {
		if strings.HasPrefix(key, prefix) && told[key] != e.Revision {
			list = append(list, Change{Kind: Put, Entry: e.copy()})
		}
	}
	for key := range told {
		if m.entries[key] == nil {
			list = append(list, Change{Kind: Deleted, Entry: Entry{Key: key, Revision: m.revision}})
		}
	}
	sortChanges(list)
	return list, m.revision
}

func (m *memory) Close() error {
	m.mu.Lock()
	m.end()
	for _, e := range m.entries {
		if e.expiry != nil {
			e.expiry.Stop()
		}
	}
	m.mu.Unlock()
	m.watches.Wait()
	return nil
}
