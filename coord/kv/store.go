// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/lock"
)

// Store is the key-value store. Everything in it is checked against the limits
// ([*KeyError], [*LimitError]) before the backend sees it.
type Store struct{ backend Backend }

// Open returns the store under kv/ of the client's namespace. Close it before the
// client.
func Open(c *coord.Client, opts ...EtcdOption) *Store { return New(Etcd(c, opts...)) }

// New returns a store on a backend, which belongs to it.
func New(b Backend) *Store { return &Store{b} }

// Get returns a key's entry, or [ErrNotFound].
func (s *Store) Get(ctx context.Context, key string, opts ...ReadOption) (Entry, error) {
	if err := CheckKey(key); err != nil {
		return Entry{}, err
	}
	return s.backend.Get(ctx, key, staleness(opts))
}

// WriteOption changes how a value is written.
type WriteOption func(*writing)

// writing is one key's operation, and what it depends on.
type writing struct {
	conditions []Condition
	operation  Operation
}

// WithTTL lets the key vanish when it was not written again for this long, counted from
// the call: not before, and at most a quarter of it later (1 to 30 s; keys that are
// written within that time share a lease). The least is a second; etcd makes whole seconds
// of it, and at least as many as its election takes (2 s by default).
func WithTTL(ttl time.Duration) WriteOption { return func(w *writing) { w.operation.TTL = ttl } }

// WhileHeld writes only if the lock that the token is of is held: see [Condition]. The
// error is [ErrFenced] otherwise.
func WhileHeld(t lock.Token) WriteOption {
	return func(w *writing) { w.conditions = append(w.conditions, Held(t)) }
}

// Put writes a key, whatever is there, and returns the write's revision.
func (s *Store) Put(ctx context.Context, key string, value []byte, opts ...WriteOption) (int64, error) {
	return s.write(ctx, Operation{Key: key, Value: value}, nil, opts)
}

// Delete removes a key. A key that is not there is no error.
func (s *Store) Delete(ctx context.Context, key string, opts ...WriteOption) error {
	_, err := s.write(ctx, Operation{Key: key, Delete: true}, nil, opts)
	return err
}

// CompareAndSwap writes a key if its entry has the revision, 0 for a key that is
// not there, and returns the write's revision. Otherwise it returns a
// [*ConflictError].
func (s *Store) CompareAndSwap(ctx context.Context, key string, revision int64, value []byte, opts ...WriteOption) (int64, error) {
	return s.write(ctx, Operation{Key: key, Value: value}, []Condition{{Key: key, Revision: revision}}, opts)
}

// CompareAndDelete removes a key if its entry has the revision. Otherwise it
// returns a [*ConflictError].
func (s *Store) CompareAndDelete(ctx context.Context, key string, revision int64, opts ...WriteOption) error {
	_, err := s.write(ctx, Operation{Key: key, Delete: true}, []Condition{{Key: key, Revision: revision}}, opts)
	return err
}

func (s *Store) write(ctx context.Context, o Operation, conditions []Condition, opts []WriteOption) (int64, error) {
	w := writing{conditions, o}
	for _, opt := range opts {
		opt(&w)
	}
	return s.Commit(ctx, w.conditions, []Operation{w.operation})
}

// maxTries bounds how often Update loses to other writers. With the pauses
// between them that is a few seconds under the worst contention.
const maxTries = 64

// Update replaces a key's value by what f makes of it, again with the new value
// when another writer came first. For a key that is not there f gets a zero
// entry. An error of f ends it and is returned. After 64 lost races it returns
// the last [*ConflictError].
func (s *Store) Update(ctx context.Context, key string, f func(Entry) ([]byte, error), opts ...WriteOption) (int64, error) {
	pause := time.Millisecond
	for try := 1; ; try++ {
		entry, err := s.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, err
		}
		value, err := f(entry)
		if err != nil {
			return 0, err
		}
		revision, err := s.CompareAndSwap(ctx, key, entry.Revision, value, opts...)
		var conflict *ConflictError
		if !errors.As(err, &conflict) || try == maxTries {
			return revision, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("kv: update %q: %w (last: %w)", key, ctx.Err(), err)
		case <-time.After(rand.N(pause)): //nolint:gosec // spreads load, guards nothing
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// Commit applies all operations in one revision, which it returns, if all
// conditions hold, and else nothing with a [*ConflictError] or [ErrFenced]. An error that is
// [ErrUncertain] leaves open whether it was applied.
func (s *Store) Commit(ctx context.Context, conditions []Condition, operations []Operation) (int64, error) {
	if n := len(conditions) + len(operations); n > MaxOperations {
		return 0, &LimitError{"commit", n, MaxOperations}
	}
	size := 0
	for _, c := range conditions {
		if c.Token.Key != "" {
			continue
		}
		if err := CheckKey(c.Key); err != nil {
			return 0, err
		}
	}
	seen := make(map[string]bool, len(operations))
	for _, o := range operations {
		switch err := CheckKey(o.Key); {
		case err != nil:
			return 0, err
		case seen[o.Key]:
			return 0, &KeyError{o.Key, "is in two operations of one commit"}
		case len(o.Value) > MaxValue:
			return 0, &LimitError{"value of " + o.Key, len(o.Value), MaxValue}
		case o.TTL != 0 && o.TTL < time.Second:
			return 0, &KeyError{o.Key, fmt.Sprintf("has a TTL of %v, less than 1s", o.TTL)}
		}
		seen[o.Key] = true
		size += len(o.Key) + len(o.Value)
	}
	if size > MaxCommit+MaxKey {
		return 0, &LimitError{"commit in bytes", size, MaxCommit + MaxKey}
	}
	if len(operations) == 0 && len(conditions) == 0 {
		return 0, nil
	}
	return s.backend.Commit(ctx, conditions, operations)
}

// List returns one page of entries in the order of their keys.
func (s *Store) List(ctx context.Context, q Query, opts ...ReadOption) (Page, error) {
	for _, o := range opts {
		o(&q.Staleness)
	}
	switch {
	case len(q.Prefix) > MaxKey || len(q.After) > MaxKey:
		return Page{}, &LimitError{"prefix or after", max(len(q.Prefix), len(q.After)), MaxKey}
	case q.Limit < 0:
		return Page{}, &LimitError{"limit", q.Limit, maxPage}
	case q.Limit == 0 || q.Limit > maxPage:
		q.Limit = maxPage
	}
	return s.backend.List(ctx, q)
}

// Watch sends what there is under a prefix, one [Change] of kind [Synced], and
// then what changes, until the context or the store ends and the channel is
// closed.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan Change, error) {
	if len(prefix) > MaxKey {
		return nil, &LimitError{"prefix", len(prefix), MaxKey}
	}
	return s.backend.Watch(ctx, prefix)
}

// Close ends all watches. It is idempotent.
func (s *Store) Close() error { return s.backend.Close() }
