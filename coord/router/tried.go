// SPDX-License-Identifier: Apache-2.0

package router

import "sync"

// triedSet holds the few instances that attempts of one request went to.
type triedSet struct {
	mu    sync.Mutex
	nodes [8]*node
	n     int
}

func (t *triedSet) any() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n > 0
}

func (t *triedSet) has(n *node) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tried := range t.nodes[:t.n] {
		if tried == n {
			return true
		}
	}
	return false
}

func (t *triedSet) add(n *node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n < len(t.nodes) {
		t.nodes[t.n] = n
		t.n++
	}
}
