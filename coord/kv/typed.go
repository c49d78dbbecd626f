// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

// Typed reads and writes values of one type, as JSON, under a prefix of a store. Its
// methods are safe for concurrent use, and their errors are the store's and [*ValueError].
type Typed[T any] struct {
	store  *Store
	prefix string
}

// Of returns the values of a type that are under a prefix, which ends with a slash, or is
// "" for the whole store. Keys of its methods are below the prefix.
func Of[T any](s *Store, prefix string) *Typed[T] { return &Typed[T]{s, prefix} }

// Item is a value with its key. The zero Item is of a key that is not there.
type Item[T any] struct {
	Key      string
	Value    T
	Revision int64 // that wrote it
}

// ValueError says that a value is not of the type.
type ValueError struct {
	Key      string // in the store
	Revision int64  // that wrote the value; 0 for one that is to be written
	Err      error  // of encoding/json
}

func (e *ValueError) Error() string {
	if e.Revision == 0 {
		return fmt.Sprintf("kv: value for %q: %v", e.Key, e.Err)
	}
	return fmt.Sprintf("kv: value of %q at revision %d: %v", e.Key, e.Revision, e.Err)
}

// Unwrap returns the reason.
func (e *ValueError) Unwrap() error { return e.Err }

func (t *Typed[T]) decode(e Entry) (Item[T], error) {
	i := Item[T]{Key: strings.TrimPrefix(e.Key, t.prefix), Revision: e.Revision}
	if err := json.Unmarshal(e.Value, &i.Value); err != nil {
		return Item[T]{}, &ValueError{e.Key, e.Revision, err}
	}
	return i, nil
}

func (t *Typed[T]) encode(key string, value T) ([]byte, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, &ValueError{t.prefix + key, 0, err}
	}
	return raw, nil
}

// Get returns a key's value, or [ErrNotFound].
func (t *Typed[T]) Get(ctx context.Context, key string, opts ...ReadOption) (Item[T], error) {
	e, err := t.store.Get(ctx, t.prefix+key, opts...)
	if err != nil {
		return Item[T]{}, err
	}
	return t.decode(e)
}

// Put writes a key, whatever is there, and returns the write's revision.
func (t *Typed[T]) Put(ctx context.Context, key string, value T, opts ...WriteOption) (int64, error) {
	raw, err := t.encode(key, value)
	if err != nil {
		return 0, err
	}
	return t.store.Put(ctx, t.prefix+key, raw, opts...)
}

// CompareAndSwap writes a key if its item has the revision, 0 for a key that is not there.
func (t *Typed[T]) CompareAndSwap(ctx context.Context, key string, revision int64, value T, opts ...WriteOption) (int64, error) {
	raw, err := t.encode(key, value)
	if err != nil {
		return 0, err
	}
	return t.store.CompareAndSwap(ctx, t.prefix+key, revision, raw, opts...)
}

// Update is [Store.Update]: f gets the item, or a zero one, and returns the new value.
func (t *Typed[T]) Update(ctx context.Context, key string, f func(Item[T]) (T, error), opts ...WriteOption) (int64, error) {
	return t.store.Update(ctx, t.prefix+key, func(e Entry) ([]byte, error) {
		var item Item[T]
		if e.Revision != 0 {
			var err error
			if item, err = t.decode(e); err != nil {
				return nil, err
			}
		}
		value, err := f(item)
		if err != nil {
			return nil, err
		}
		return t.encode(key, value)
	}, opts...)
}

// Delete removes a key. A key that is not there is no error.
func (t *Typed[T]) Delete(ctx context.Context, key string, opts ...WriteOption) error {
	return t.store.Delete(ctx, t.prefix+key, opts...)
}

// All returns the items whose keys begin with a prefix, in the order of their keys. It
// reads them in pages, each of a revision of its own. A value that is not of the type comes
// with a [*ValueError], and the rest after it; any other error ends it.
func (t *Typed[T]) All(ctx context.Context, prefix string, opts ...ReadOption) iter.Seq2[Item[T], error] {
	return func(yield func(Item[T], error) bool) {
		q := Query{Prefix: t.prefix + prefix}
		for {
			page, err := t.store.List(ctx, q, opts...)
			if err != nil {
				yield(Item[T]{}, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(t.decode(e)) {
					return
				}
				q.After = e.Key
			}
			if !page.More || len(page.Entries) == 0 {
				return
			}
		}
	}
}

// TypedChange is what a typed watch sends.
type TypedChange[T any] struct {
	Kind ChangeKind
	Item[T]

	Err error // a [*ValueError] for a Put whose value is not of the type
}

// Watch is [Store.Watch] under a prefix, as a loop that is run once: it ends with the
// context, with the store, or when it is left.
func (t *Typed[T]) Watch(ctx context.Context, prefix string) (iter.Seq[TypedChange[T]], error) {
	ctx, cancel := context.WithCancel(ctx)
	changes, err := t.store.Watch(ctx, t.prefix+prefix)
	if err != nil {
		cancel()
		return nil, err
	}
	return func(yield func(TypedChange[T]) bool) {
		defer cancel()
		for c := range changes {
			typed := TypedChange[T]{Kind: c.Kind, Item: Item[T]{Key: strings.TrimPrefix(c.Key, t.prefix), Revision: c.Revision}}
			if c.Kind == Put {
				item, err := t.decode(c.Entry)
				if typed.Err = err; err == nil {
					typed.Item = item
				}
			}
			if !yield(typed) {
				return
			}
		}
	}, nil
}
