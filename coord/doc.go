// SPDX-License-Identifier: Apache-2.0

// Package coord is the door to what the services of a fleet share: an etcd
// cluster, one namespace of it, and the rules about names and epochs that all
// packages below keep.
//
//	c, err := coord.Open() // OTELPLAT_ETCD_*, OTELPLAT_NAMESPACE
//	defer c.Close()
//
// [Open] does not wait for etcd and does not fail when etcd is away: whatever
// follows etcd (coord/mirror and all that stands on it) starts when etcd comes,
// and keeps what it knows when etcd goes. Only what a caller explicitly asks of
// etcd (a lock, a linearizable read, a compare-and-swap) waits for it, as long
// as the caller's context allows.
//
// The packages below, in the order in which they build on each other: mirror (a
// current copy of a key prefix), versioned (immutable document revisions), kv,
// lock, discovery, signal, router. Package embedded runs an etcd in this process
// and coordtest gives one to tests.
//
// A [Client] owns one gRPC connection and its goroutines, which end with Close.
// Its methods are safe for concurrent use.
package coord
