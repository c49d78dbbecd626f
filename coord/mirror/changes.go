// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"iter"
)

// Change is a key that differs between two views.
type Change[T any] struct {
	Key      string // relative to the mirror's prefix
	Value    T      // the zero value when deleted
	Deleted  bool
	Revision int64 // that wrote the value; 0 when deleted
}

// Batch is what changed since the batch before.
type Batch[T any] struct {
	View    View[T]     // with the changes in it
	Changes []Change[T] // one for each key, in no particular order

	// Resync says that the changes are not a continuation: this is the first batch,
	// with all that there is, or etcd's history is another one, and every key is in it
	// that is there or was.
	Resync bool
}

// Changes returns what changes, first of all what there is, until the context or the
// mirror ends. It waits in the caller's goroutine, and holds nobody up: a reader that
// is slow gets one batch for all that happened meanwhile, with the newest value of each
// key, and none is lost, however slow it is.
func (m *Mirror[T]) Changes(ctx context.Context) iter.Seq[Batch[T]] {
	return func(yield func(Batch[T]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var last View[T]
		for range m.Updates(ctx) {
			view := m.View()
			b := Batch[T]{View: view, Changes: view.Since(last), Resync: last.s == nil || view.Epoch() != last.Epoch()}
			last = view
			if !b.Resync && len(b.Changes) == 0 {
				continue
			}
			if !yield(b) {
				return
			}
		}
	}
}

// Since returns how this view differs from an older one of the same mirror, the zero
// View for one that is empty. It costs what differs, not what is there, unless the mirror
// listed its prefix again in between. Of two epochs all keys differ.
func (v View[T]) Since(old View[T]) []Change[T] {
	var list []Change[T]
	sameEpoch := v.Epoch() == old.Epoch()
	difference(old.root(), v.root(), func(was, is *leaf[T]) {
		switch {
		case is == nil:
			list = append(list, Change[T]{Key: was.key, Deleted: true})
		case was == nil || was.mod != is.mod || !sameEpoch:
			list = append(list, Change[T]{Key: is.key, Value: is.value, Revision: is.mod})
		}
	})
	return list
}

func (v View[T]) root() *node[T] {
	if v.s == nil {
		return nil
	}
	return v.s.trie.root
}
