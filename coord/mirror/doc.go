// SPDX-License-Identifier: Apache-2.0

// Package mirror keeps a typed, current, in-memory copy of an etcd key prefix.
// It is the one watch engine of the platform: discovery, configuration, policy
// bundles, signals and revocations all read from a [Mirror], so that no request
// of a service waits for etcd.
//
// # What it guarantees
//
//   - Reads are lock-free and see whole revisions. A [View] is one revision for
//     as long as it is held: no reader sees half of a transaction.
//   - Within an epoch the revision never goes back. A list from another epoch, or
//     with a lower revision (the data was restored or lost), starts a new epoch:
//     an event, and the difference applied.
//   - A state is only replaced by what a linearizable list or the watch says. An
//     etcd that is away, has no leader, or was compacted under the watch leaves
//     the last state in place; [Mirror.Age] tells how old it is.
//   - A value that does not decode is kept out, counted and reported; the
//     previous good one stays.
//
// # What it does not
//
// A mirror is behind etcd by the time that a message takes, and by any length of
// time while etcd is away. Whoever needs to read what was just written reads etcd,
// or waits with [Mirror.WaitRevision].
//
// # How it works
//
// One goroutine lists the prefix at a revision (linearizable, in pages), watches
// from the next one, and asks for progress every few seconds, so that Age means
// currency and not silence. When the watch ends, for whatever reason, it lists
// again; keys that vanished meanwhile are deleted by comparison. It tries again
// for ever, after 0.8 s, growing to 30 s, with jitter; but as soon as the connection
// is back it tries at once. All mirrors of a client share one watch stream and its
// requests for progress.
//
// Values live in a persistent hash trie: an update copies a few nodes, a reader loads
// one pointer. What changed between two views is found by comparing the tries, which
// share all that did not: so [Mirror.Changes] needs no queue for its readers, and a
// slow one loses nothing.
//
// With [WithSavedState] the last state is kept in a file, and a process can start while
// etcd is away.
//
// A mirror owns its goroutine, and one more when it saves, which end with Close; it
// never blocks on its readers.
package mirror
