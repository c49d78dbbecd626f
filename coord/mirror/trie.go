// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// A trie is a persistent hash array mapped trie (Bagwell, Ideal Hash Trees, 2001):
// an update copies the nodes on one path, at most some hundred bytes each, and
// leaves every older version intact. The zero value is empty.
type trie[T any] struct {
	root *node[T]
	len  int
}

// node has a child for each bit that is set in bitmap, in the order of the bits.
type node[T any] struct {
	bitmap   uint32
	edit     *edit // the batch that may change this node in place
	children []child[T]
}

// child is a leaf or a node: exactly one is set.
type child[T any] struct {
	leaf *leaf[T]
	node *node[T]
}

// leaf holds a value. Leaves with the same 64-bit hash form a list.
type leaf[T any] struct {
	hash  uint64
	key   string
	value T
	mod   int64 // etcd's ModRevision
	next  *leaf[T]
}

// edit identifies a batch of changes that nobody has seen yet: nodes made by it
// are changed in place, which makes loading a million keys linear. It is never
// empty, because pointers to empty values may be equal.
type edit struct{ _ byte }

const (
	bitsPerLevel = 5
	levelMask    = 1<<bitsPerLevel - 1
)

var seed = maphash.MakeSeed()

func hashKey(key string) uint64 { return maphash.String(seed, key) }

// get returns the leaf of a key, nil when there is none. It does not allocate.
func (t *trie[T]) get(key string) *leaf[T] {
	if t.root == nil {
		return nil
	}
	hash := hashKey(key)
	n := t.root
	for rest := hash; ; rest >>= bitsPerLevel {
		bit := uint32(1) << (rest & levelMask)
		if n.bitmap&bit == 0 {
			return nil
		}
		c := &n.children[bits.OnesCount32(n.bitmap&(bit-1))]
		if c.node == nil {
			for l := c.leaf; l != nil; l = l.next {
				if l.key == key {
					return l
				}
			}
			return nil
		}
		n = c.node
	}
}

// set adds or replaces a key.
func (t *trie[T]) set(e *edit, key string, value T, mod int64) {
	l := &leaf[T]{hash: hashKey(key), key: key, value: value, mod: mod}
	if t.root == nil {
		t.root = &node[T]{edit: e}
	}
	root, added := t.root.set(e, l, 0)
	t.root = root
	if added {
		t.len++
	}
}

// remove deletes a key and reports whether it was there.
func (t *trie[T]) remove(e *edit, key string) bool {
	if t.root == nil {
		return false
	}
	root, removed := t.root.remove(e, hashKey(key), key, 0)
	if !removed {
		return false
	}
	t.len--
	if t.root = root; root != nil && len(root.children) == 0 {
		t.root = nil
	}
	return true
}

// own returns the node itself when the batch made it, else a copy that the batch
// may change.
func (n *node[T]) own(e *edit) *node[T] {
	if n.edit == e {
		return n
	}
	return &node[T]{bitmap: n.bitmap, edit: e, children: slices.Clone(n.children)}
}

func (n *node[T]) set(e *edit, l *leaf[T], shift uint) (*node[T], bool) {
	bit := uint32(1) << (l.hash >> shift & levelMask)
	at := bits.OnesCount32(n.bitmap & (bit - 1))
	n = n.own(e)
	if n.bitmap&bit == 0 {
		n.bitmap |= bit
		n.children = slices.Insert(n.children, at, child[T]{leaf: l})
		return n, true
	}
	c := &n.children[at]
	switch {
	case c.node != nil:
		sub, added := c.node.set(e, l, shift+bitsPerLevel)
		c.node = sub
		return n, added
	case c.leaf.hash == l.hash:
		list, added := c.leaf.with(l)
		c.leaf = list
		return n, added
	}
	// Two hashes share this slot: push the old leaf one level down.
	sub := &node[T]{edit: e}
	sub, _ = sub.set(e, c.leaf, shift+bitsPerLevel)
	sub, _ = sub.set(e, l, shift+bitsPerLevel)
	*c = child[T]{node: sub}
	return n, true
}

// with returns the list with l in place of the leaf of the same key, or added.
func (old *leaf[T]) with(l *leaf[T]) (*leaf[T], bool) {
	rest, removed := old.without(l.key)
	l.next = rest
	return l, !removed
}

// without returns the list without a key. Leaves are immutable: those before the
// removed one are copied.
func (old *leaf[T]) without(key string) (*leaf[T], bool) {
	if old == nil {
		return nil, false
	}
	if old.key == key {
		return old.next, true
	}
	rest, removed := old.next.without(key)
	if !removed {
		return old, false
	}
	kept := *old
	kept.next = rest
	return &kept, true
}

func (n *node[T]) remove(e *edit, hash uint64, key string, shift uint) (*node[T], bool) {
	bit := uint32(1) << (hash >> shift & levelMask)
	if n.bitmap&bit == 0 {
		return n, false
	}
	at := bits.OnesCount32(n.bitmap & (bit - 1))
	c := n.children[at]
	if c.node != nil {
		sub, removed := c.node.remove(e, hash, key, shift+bitsPerLevel)
		if !removed {
			return n, false
		}
		c.node = sub
		if len(sub.children) == 1 && sub.children[0].leaf != nil {
			c = sub.children[0] // a node with one leaf is that leaf
		}
	} else {
		list, removed := c.leaf.without(key)
		if !removed {
			return n, false
		}
		c.leaf = list
	}
	n = n.own(e)
	if c.node == nil && c.leaf == nil || c.node != nil && len(c.node.children) == 0 {
		n.bitmap &^= bit
		n.children = slices.Delete(n.children, at, at+1)
	} else {
		n.children[at] = c
	}
	return n, true
}

// each calls yield for every leaf until it returns false.
func (n *node[T]) each(yield func(*leaf[T]) bool) bool {
	if n == nil {
		return true
	}
	for _, c := range n.children {
		if !c.each(yield) {
			return false
		}
	}
	return true
}
