// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"context"
	"time"

	"github.com/otelplat/platform/coord/lock"
)

// Backend is where keys live. [Store] checks keys, values and limits before it
// calls one. Implementations run the suite coordtest.KV.
type Backend interface {
	// Get returns a key's entry, or [ErrNotFound]. The answer is as current as is asked
	// for, or more.
	Get(ctx context.Context, key string, s Staleness) (Entry, error)

	// List returns entries in the order of their keys. The limit is between 1 and
	// 1000: [Store] sees to it.
	List(ctx context.Context, q Query) (Page, error)

	// Commit applies all operations in one revision, which it returns, if all
	// conditions hold, and else nothing with a [*ConflictError] that names the
	// first condition that did not hold, or with [ErrFenced]. No key is in two operations. Operations
	// that change nothing, deletes of keys that are not there, may leave the
	// revision as it was.
	Commit(ctx context.Context, conditions []Condition, operations []Operation) (revision int64, err error)

	// Watch sends what there is under the prefix, one [Change] of kind [Synced],
	// and then what changes, until the context or the backend ends and the
	// channel is closed. It never drops the newest value of a key.
	Watch(ctx context.Context, prefix string) (<-chan Change, error)

	// Close ends all watches; what is called after it returns [ErrClosed]. It is
	// idempotent.
	Close() error
}

// Entry is a key with its value.
type Entry struct {
	Key      string
	Value    []byte
	Revision int64 // that wrote it; a key that was deleted and made again has another one
}

// Query selects entries.
type Query struct {
	Prefix string // "" selects all
	After  string // keys after this one only: the last key of the page before
	Limit  int    // entries at most; 0: 1000, which is also the most

	Staleness Staleness // how old the answer may be
}

// Page is a part of a list.
type Page struct {
	Entries  []Entry
	More     bool  // there are more after the last
	Revision int64 // of the store when it was read
}

// Condition wants a key to be as the writer saw it, or a lock to be held.
type Condition struct {
	Key      string
	Revision int64 // of the entry; 0: the key is absent

	// Token, when it is set, is all of the condition: the writer's holding of a lock. It
	// does not hold once a later holder has written under its own token; with etcd, where
	// lock and data are in one place, not after the holding ended either.
	Token lock.Token
}

// Held is the condition that the writer has the lock.
func Held(t lock.Token) Condition { return Condition{Token: t} }

// Operation writes or deletes one key.
type Operation struct {
	Key    string
	Delete bool
	Value  []byte
	TTL    time.Duration // 0: for ever; else the key vanishes not before, and soon after
}

// ChangeKind is what a [Change] tells.
type ChangeKind uint8

// The kinds of changes.
const (
	Put     ChangeKind = iota // the key has this entry now
	Deleted                   // the key is gone; only Key and the revision known then are set
	Synced                    // all that was there when the watch began has been sent
)

// Change is what a watch sends.
type Change struct {
	Kind ChangeKind
	Entry
}
