// SPDX-License-Identifier: Apache-2.0

package db

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// MaxMemoryRecords is how many records a database in memory holds.
const MaxMemoryRecords = 100_000

// MemoryBackend returns the backend of [Memory], for those who compare another
// backend with it.
func MemoryBackend() Backend { return &memory{collections: make(map[string]map[string]Entry)} }

type memory struct {
	mu          sync.RWMutex
	collections map[string]map[string]Entry // by name, then by id
	records     int                         // of all collections
}

func (m *memory) Define(ctx context.Context, collection string, _ []Field) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("db: define %s: %w", collection, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.collections[collection] = make(map[string]Entry)
	return nil
}

// copy keeps the caller from changing what others read.
func (e Entry) copy() Entry {
	e.Body, e.Metadata = slices.Clone(e.Body), maps.Clone(e.Metadata)
	return e
}

func (m *memory) Get(ctx context.Context, collection, id string) (Entry, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, fmt.Errorf("db: get from %s: %w", collection, err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, there := m.collections[collection][id]
	if !there {
		return Entry{}, fmt.Errorf("%w: record %q of %s", ErrNotFound, id, collection)
	}
	return e.copy(), nil
}

func (m *memory) Find(ctx context.Context, s Selection) (Found, error) {
	if err := ctx.Err(); err != nil {
		return Found{}, fmt.Errorf("db: search in %s: %w", s.Collection, err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var list []Entry
	for _, e := range m.collections[s.Collection] {
		if s.selects(&e) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return s.compare(s.position(&a), s.position(&b)) })
	var f Found
	bytes := 0
	for i, e := range list {
		bytes += e.Size()
		if i == s.Limit || i > 0 && bytes > MaxPageBytes {
			f.More = true
			break
		}
		f.Entries = append(f.Entries, e.copy())
	}
	return f, nil
}

// position returns an entry's place in the order.
func (s *Selection) position(e *Entry) Position { return Position{e.Metadata[s.Order], e.ID} }

// compare orders two places.
func (s *Selection) compare(a, b Position) int {
	c := 0
	if s.Order != idField {
		c = compare(a.Value, b.Value)
	}
	c = cmp.Or(c, cmp.Compare(a.ID, b.ID))
	if s.Descending {
		return -c
	}
	return c
}

// selects reports whether an entry has the field of the order, is behind the
// position and meets all conditions.
func (s *Selection) selects(e *Entry) bool {
	if s.Order != idField && e.Metadata[s.Order] == nil {
		return false
	}
	if s.After != nil && s.compare(s.position(e), *s.After) <= 0 {
		return false
	}
	for _, c := range s.Where {
		v := e.Metadata[c.Field]
		if c.Field == idField {
			v = e.ID
		}
		if v == nil || !c.holds(v) {
			return false
		}
	}
	return true
}

func (c *Condition) holds(v any) bool {
	if c.Op == OpIn {
		return slices.ContainsFunc(c.Values, func(w any) bool { return compare(v, w) == 0 })
	}
	if c.Op == OpPrefix {
		return strings.HasPrefix(v.(string), c.Values[0].(string))
	}
	switch order := compare(v, c.Values[0]); c.Op {
	case OpEqual:
		return order == 0
	case OpLess:
		return order < 0
	case OpAtMost:
		return order <= 0
	case OpGreater:
		return order > 0
	default: // OpAtLeast
		return order >= 0
	}
}

func (m *memory) Commit(ctx context.Context, operations []Operation) ([]Stamp, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("db: commit: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	records := m.records
	for _, o := range operations {
		if actual := m.collections[o.Collection][o.ID].Version; actual != o.Version {
			return nil, &ConflictError{o.Collection, o.ID, o.Version, actual}
		}
		switch o.Kind {
		case KindCreate:
			records++
		case KindDelete:
			records--
		}
	}
	if records > MaxMemoryRecords && records > m.records {
		return nil, fmt.Errorf("%w: %d records, more than %d", ErrFull, records, MaxMemoryRecords)
	}
	m.records = records
	stamps := make([]Stamp, len(operations))
	for i, o := range operations {
		stamps[i] = m.apply(o)
	}
	return stamps, nil
}

// apply does one operation whose version was checked.
func (m *memory) apply(o Operation) Stamp {
	collection := m.collections[o.Collection]
	e := collection[o.ID]
	switch o.Kind {
	case KindDelete:
		delete(collection, o.ID)
	case KindExpect:
	case KindCreate, KindUpdate:
		if o.Kind == KindCreate {
			e = Entry{ID: o.ID, Stamp: Stamp{Created: o.Time}}
		}
		e.Version++
		e.Updated, e.Body, e.Metadata = o.Time, slices.Clone(o.Body), maps.Clone(o.Metadata)
		collection[o.ID] = e
	}
	return e.Stamp
}

func (m *memory) Close() error { return nil }
