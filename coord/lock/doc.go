// SPDX-License-Identifier: Apache-2.0

// Package lock lets one process of a fleet do something at a time.
//
//	locks := lock.Open(client)
//	defer locks.Close()
//	held, err := locks.Lock(ctx, "nightly-report")
//	...
//	defer held.Unlock(ctx)
//	for work.Next() && held.Valid() { ... }
//
// # What a lock guarantees, and what no lock can
//
// Waiters get the lock in the order in which they asked. A holder whose lease can
// no longer be proved to live loses the lock by its own clock, before etcd can
// give it to another: [Held.Valid] turns false and [Held.Lost] is closed a
// second and more ahead. So two holders that look never both believe.
//
// But a process can stop between looking and acting: garbage collection, a
// suspended machine, a request that lingers in the network. What the lock
// protects must therefore check the [Token], which grows with every holder:
// writes to etcd with [Token.Guard] as a condition, others by refusing a token
// lower than the greatest seen ([Token.Before]). Without that a lock saves work,
// and does not protect data. (M. Kleppmann, "How to do distributed locking",
// 2016; Jepsen's analysis of etcd 3.4.3, 2020, says the same of etcd's own lock.)
//
// # How it works
//
// Each place in the queue is a key of its own, lock/<name>/<lease>-<nonce>, so that two
// goroutines of one process exclude each other too; its creation revision is the
// place in the queue and the token. A waiter watches only the key before its own,
// from before it reads whether that key is there: the watch is then always in the
// group that etcd serves at once, where clientv3/concurrency waits 100 ms for the
// one that catches up. All of a process's locks share a lease.
//
// Readers ([Locker.RLock]) have keys in a range of their own, so that one read finds the
// writers before them. The places of a [Semaphore] count those before them. At a [Barrier]
// whoever finds enough parties marks their keys in one transaction, and each watches its own.
//
// Whoever holds longer than a moment watches its own key: a key that somebody deleted and
// a lease that was revoked are noticed at once, without a write.
//
// The deadline of all holds is the time at which the last renewal that was
// answered had been sent, plus the TTL, less a margin of 1 s and 5 % for a clock
// that runs fast. It counts on the monotonic clock of this machine.
//
// # When etcd is away
//
// Lock waits for as long as its context allows. A held lock stays valid until its
// deadline; if etcd is back before, nothing was lost. Keys that could not be
// deleted are deleted later, or end with the lease.
//
// A [Locker] is etcd's ([Open]) or a process's own ([Memory]), both under the suite
// coordtest.Lock. It owns one goroutine while it has a lease; Close releases all.
package lock
