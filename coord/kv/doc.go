// SPDX-License-Identifier: Apache-2.0

// Package kv is a small key-value store that the services of a fleet share.
//
//	store := kv.Open(client)
//	entry, err := store.Get(ctx, "orders/next-number")
//	...
//	_, err = store.CompareAndSwap(ctx, entry.Key, entry.Revision, next)
//
// [Of] reads and writes values of a type, as JSON.
//
// # What it guarantees
//
// Writes are linearizable, and so are reads unless they ask for less: a read that begins
// after a write was answered sees it, whichever process wrote. [Store.Commit] writes
// several keys at once or none. Each write has a revision, greater than all before it in
// the store; an [Entry] carries the revision that wrote it, which is what
// [Store.CompareAndSwap] compares.
//
// A read that says [MaxAge] may be as old as that, one that says [Local] of any age. They
// are answered from a copy in this process ([WithCopy]), without a request, when there is
// one that is young enough.
//
// A write that says [WhileHeld] is refused once the lock of the token is lost, whatever the
// writer believes: the comparison is part of the transaction.
//
// [Store.Watch] follows a prefix from memory. A slow reader holds up nobody: it
// sees the newest value of every key that changed, and may miss values between.
//
// # What it does not
//
// It is for state, not for data: values of at most 1 MiB, transactions of at most
// 128 operations, a few gigabytes in all (etcd's quota). For records use
// coord/db, for reading configuration configsrc.
//
// # When etcd is away
//
// Reads and writes wait for as long as their context allows and return its error, but for
// reads that a copy can answer.
// A write whose answer was lost may have happened: its error is [ErrUncertain],
// and nobody but the caller can know whether trying again is right. A watch
// keeps what it had and goes on when etcd is back.
//
// A [Backend] is where the keys are: etcd ([Etcd]) or memory ([Memory]), both
// under the suite coordtest.KV. All methods are safe for concurrent use. Watches
// end with their context or with Close.
package kv
