// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"iter"

	"github.com/otelplat/platform/coord"
)

// View is the content of a mirror at one revision. It is immutable and stays
// valid for as long as it is held. The zero View is empty.
type View[T any] struct {
	s *state[T]
}

// state is what a mirror publishes: one pointer, never changed once stored.
type state[T any] struct {
	trie     trie[T]
	index    *index[T]    // of trie, shared with other states; nil for a few keys
	raw      trie[[]byte] // the bytes of the same keys; empty unless the state is saved
	revision int64
	epoch    coord.Epoch
	restarts int // part of the epoch: see follower.epochOf
}

// Get returns the value of a key, named relative to the mirror's prefix.
func (v View[T]) Get(key string) (value T, ok bool) {
	if v.s == nil {
		return value, false
	}
	return v.s.get(key)
}

// All returns an iterator over all keys and values, in no particular order.
func (v View[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		v.root().each(func(l *leaf[T]) bool { return yield(l.key, l.value) })
	}
}

// Len returns the number of keys.
func (v View[T]) Len() int {
	if v.s == nil {
		return 0
	}
	return v.s.trie.len
}

// Revision returns the revision of etcd that this is the content of; 0 before
// the first load.
func (v View[T]) Revision() int64 {
	if v.s == nil {
		return 0
	}
	return v.s.revision
}

// Epoch returns the history that the revision belongs to.
func (v View[T]) Epoch() coord.Epoch {
	if v.s == nil {
		return ""
	}
	return v.s.epoch
}

// ModRevision returns the revision in which a key was last written, 0 when it is
// not there.
func (v View[T]) ModRevision(key string) int64 {
	if v.s == nil {
		return 0
	}
	if l := v.s.trie.get(key); l != nil {
		return l.mod
	}
	return 0
}
