// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	// maxAnswers bounds the answers kept of one question, and maxKeyBytes the key
	// of each: 8192 of 512 bytes are 4 MB, and the rules that they lead to.
	maxAnswers  = 8192
	maxKeyBytes = 512

	// pause is for how many items nothing is kept after a full memo had been of use
	// to fewer than half of its items: rules that look at bodies or ids.
	pause = 100_000
)

// memo keeps the answers of OPA by the parts of the input that the rules can depend on
// ([policy.Snapshot.Inputs]). Items differ in their times, ids and texts; what
// rules look at has few values, and an evaluation takes thousands of times as long
// as finding one again.
type memo struct {
	resource, scope, item attributesPart
	scopeName             bool // and version
	fields                []string

	resting atomic.Int64 // for how many more items nothing is looked up
	mu      sync.RWMutex
	kept    map[string]answer
	hits    atomic.Int64 // since kept was emptied
}

// attributesPart says which attributes of a map a rule can depend on.
type attributesPart struct {
	all  bool
	keys []string
}

// newMemo returns nil when the rules can depend on all of an item: then every
// item's verdict is its own.
func newMemo(parts [][]string) *memo {
	m := &memo{kept: make(map[string]answer)}
	for _, p := range parts {
		if len(p) == 0 || len(p) == 1 && p[0] == "item" {
			return nil
		}
		switch p[0] {
		case "resource":
			m.resource.add(p[1:])
		case "scope":
			m.scope.add(p[1:])
			m.scopeName = true
		case "item":
			if p[1] == "attributes" {
				m.item.add(p[1:])
			} else if !slices.Contains(m.fields, p[1]) {
				m.fields = append(m.fields, p[1])
			}
		}
	}
	return m
}

// add takes in a path below resource, scope or item: nothing, or a field and
// below. Fields that are not attributes are none of this part.
func (a *attributesPart) add(below []string) {
	switch {
	case len(below) == 0 || len(below) == 1 && below[0] == "attributes":
		a.all = true
	case below[0] == "attributes" && !slices.Contains(a.keys, below[1]):
		a.keys = append(a.keys, below[1])
	}
}

// place appends the beginning of the keys of a scope's items.
func (m *memo) place(key []byte, r pcommon.Resource, s pcommon.InstrumentationScope) []byte {
	key = appendAttributes(key, r.Attributes(), m.resource)
	if m.scopeName {
		key = appendText(appendText(key, s.Name()), s.Version())
	}
	return appendAttributes(key, s.Attributes(), m.scope)
}

// key appends an item's part to the place's.
func (m *memo) key(key []byte, it item) []byte {
	for _, f := range m.fields {
		key = it.field(f, key)
	}
	if m.item.all || len(m.item.keys) > 0 {
		key = appendAttributes(key, it.attributes(), m.item)
	}
	return key
}

// find returns the verdict for a key, and whether put is worth it otherwise.
func (m *memo) find(key []byte) (a answer, found, worth bool) {
	if len(key) > maxKeyBytes {
		return a, false, false
	}
	if m.resting.Load() > 0 {
		m.resting.Add(-1)
		return a, false, false
	}
	m.mu.RLock()
	a, found = m.kept[string(key)]
	m.mu.RUnlock()
	if found {
		m.hits.Add(1)
	}
	return a, found, true
}

func (m *memo) put(key string, a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= maxAnswers {
		if m.hits.Swap(0) < maxAnswers {
			m.resting.Store(pause)
		}
		clear(m.kept)
	}
	m.kept[key] = a
}
