// SPDX-License-Identifier: Apache-2.0

package mirror

import "math/bits"

// difference calls emit for every key whose leaf is not the same in both tries, with nil
// for the side that lacks it. Subtrees that both share, which is all but what was changed,
// are passed over.
func difference[T any](was, is *node[T], emit func(was, is *leaf[T])) {
	if was == is {
		return
	}
	for union := bitmapOf(was) | bitmapOf(is); union != 0; union &= union - 1 {
		bit := union & -union
		a, b := was.child(bit), is.child(bit)
		switch {
		case a.node != nil && b.node != nil:
			difference(a.node, b.node, emit)
		case a.node == nil && b.node == nil && a.leaf == b.leaf:
		default:
			// A leaf on one side and a node on the other, or lists of leaves: few keys,
			// unless a whole subtree came or went.
			between(a, b, emit)
		}
	}
}

// between compares two children by key.
func between[T any](a, b child[T], emit func(was, is *leaf[T])) {
	before := make(map[string]*leaf[T])
	a.each(func(l *leaf[T]) bool {
		before[l.key] = l
		return true
	})
	b.each(func(l *leaf[T]) bool {
		was := before[l.key]
		delete(before, l.key)
		if was != l {
			emit(was, l)
		}
		return true
	})
	for _, l := range before {
		emit(l, nil)
	}
}

func bitmapOf[T any](n *node[T]) uint32 {
	if n == nil {
		return 0
	}
	return n.bitmap
}

// child returns what is at a bit, the zero child when nothing is.
func (n *node[T]) child(bit uint32) child[T] {
	if n == nil || n.bitmap&bit == 0 {
		return child[T]{}
	}
	return n.children[bits.OnesCount32(n.bitmap&(bit-1))]
}

// each calls yield for every leaf until it returns false.
func (c child[T]) each(yield func(*leaf[T]) bool) bool {
	if c.node != nil {
		return c.node.each(yield)
	}
	for l := c.leaf; l != nil; l = l.next {
		if !yield(l) {
			return false
		}
	}
	return true
}
