// SPDX-License-Identifier: Apache-2.0

// Package kv is a small key-value store that the services of a fleet share.
//
//	store := kv.Open(client)
//	entry, err := store.Get(ctx, "orders/next-number")
//	...
//	_, err = store.CompareAndSwap(ctx, entry.Key, entry.Revision, next)
//
// # What it guarantees
//
// Every read and write is linearizable: a read that begins after a write was
// answered sees it, whichever process wrote. [Store.Commit] writes several keys at
// once or none. Each write has a revision, greater than all before it in the
// store; an [Entry] carries the revision that wrote it, which is what
// [Store.CompareAndSwap] compares.
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
// Reads and writes wait for as long as their context allows and return its error.
// A write whose answer was lost may have happened: its error is [ErrUncertain],
// and nobody but the caller can know whether trying again is right. A watch
// keeps what it had and goes on when etcd is back.
//
// A [Backend] is where the keys are: etcd ([Etcd]) or memory ([Memory]), both
// under the suite coordtest.KV. All methods are safe for concurrent use. Watches
// end with their context or with Close.
package kv
