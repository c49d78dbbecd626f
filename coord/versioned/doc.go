// SPDX-License-Identifier: Apache-2.0

// Package versioned keeps documents whose every revision is immutable:
// configuration and policy bundles both live in it.
//
// A [Store] writes a new revision with author, time and reason, and moves the
// document's head to it by compare-and-swap, so that of two writers who saw the
// same head one gets a [*ConflictError]. [Store.History] lists what there was,
// and [Store.Rollback] makes an old content the newest revision: nothing is ever
// changed or taken away by it.
//
// [Store.Apply] changes several documents, all or none. [Store.Tag] names a revision, and
// [Store.Prune] deletes old ones that have no name.
//
// A [Follower] keeps the current revision in memory and its content verified
// against the hash. It works as a mirror does: while etcd is away it holds what
// it has, and tells its age. With a state directory it starts from what was held before.
// The revision that it holds and its age are gauges.
//
// # Format
//
// <family>/<name>/head and <family>/<name>/rev/<n> hold the same JSON record; the
// content lies in chunks named by their hash, <family>/<name>/chunk/<sha256>,
// so that revisions which share content share chunks and a reader can verify
// every part. docs/keyspace.md has the details.
//
// Store and Follower are safe for concurrent use. A Follower owns one mirror and
// one goroutine until Close.
package versioned
