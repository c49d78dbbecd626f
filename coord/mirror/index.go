// SPDX-License-Identifier: Apache-2.0

package mirror

import "sync/atomic"

// An index finds the newest leaf of a key with one look into a table, where a trie of a
// million keys takes four. It is an open-addressing table with linear probing (Knuth, The
// Art of Computer Programming 3, 6.4) that one writer changes under many readers: a slot,
// once it has a key, keeps it, and only the pointer to the key's leaf changes.
//
// States of a mirror share an index. A leaf that is newer than the state that is read with
// says that the state's trie has to be asked: an index is never wrong, it may be ahead.
type index[T any] struct {
	mask  uint64
	slots []slot[T]
	used  int // slots that have a key; the writer's
}

// slot is free as long as it has no leaf. The hash is written before the first leaf is
// stored, and never again.
type slot[T any] struct {
	hash uint64
	leaf atomic.Pointer[leaf[T]]
}

// minIndexed is how many keys a state has at least before it gets an index: a trie of one
// level is as good.
const minIndexed = 16

// newIndex makes the index of a trie, with room for half as many keys again.
func newIndex[T any](t *trie[T]) *index[T] {
	if t.len < minIndexed {
		return nil
	}
	size := 2 * minIndexed
	for size < 2*t.len {
		size *= 2
	}
	x := &index[T]{mask: uint64(size - 1), slots: make([]slot[T], size)}
	t.root.each(func(l *leaf[T]) bool {
		x.put(l)
		return true
	})
	return x
}

// find returns the slot of a key, or the free one where it belongs.
func (x *index[T]) find(hash uint64, key string) (s *slot[T], l *leaf[T]) {
	for i := hash & x.mask; ; i = (i + 1) & x.mask {
		s = &x.slots[i]
		if l = s.leaf.Load(); l == nil || s.hash == hash && l.key == key {
			return s, l
		}
	}
}

// put makes a leaf the newest of its key. The caller sees to it that a slot is free.
func (x *index[T]) put(l *leaf[T]) {
	s, was := x.find(l.hash, l.key)
	if was == nil {
		s.hash = l.hash
		x.used++
	}
	s.leaf.Store(l)
}

// gone returns the leaf that says that a key was deleted in a revision.
func gone[T any](key string, revision int64) *leaf[T] {
	return &leaf[T]{hash: hashKey(key), key: key, mod: -revision}
}

// full reports whether the next key may make probing slow: three of four slots are taken.
func (x *index[T]) full() bool { return 4*(x.used+1) > 3*len(x.slots) }

// follow brings the state's index to its trie, after the keys changed. It is called before
// the state is published, by the goroutine that owns the mirror.
func (s *state[T]) follow(keys []string) {
	for _, key := range keys {
		l := s.trie.get(key)
		if s.index == nil || s.index.full() {
			s.index = newIndex(&s.trie)
			return
		}
		if l == nil {
			l = gone[T](key, s.revision)
		}
		s.index.put(l)
	}
}

// get returns the value of a key at the state's revision.
func (s *state[T]) get(key string) (value T, ok bool) {
	if s.index == nil {
		if l := s.trie.get(key); l != nil {
			return l.value, true
		}
		return value, false
	}
	_, l := s.index.find(hashKey(key), key)
	switch {
	case l == nil:
		return value, false
	case l.mod > s.revision || -l.mod > s.revision: // of a state that is about to be published
		if l = s.trie.get(key); l != nil {
			return l.value, true
		}
		return value, false
	case l.mod < 0:
		return value, false
	}
	return l.value, true
}
