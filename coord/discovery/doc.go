// SPDX-License-Identifier: Apache-2.0

// Package discovery lets the instances of a service be found, and keeps them
// found when etcd is in trouble.
//
// [Registry.Register] announces an instance under a lease and keeps announcing it
// for as long as the process lives: after an outage, after etcd lost its data, after
// somebody deleted the key. [Registry.Directory] returns what is announced; its
// reads are lock-free and never wait for etcd. [Etcd] is the registry of a fleet,
// [Memory] one for tests and for a program alone.
//
// # Many vanish at once
//
// When more than half of a service's instances vanish within one TTL (each record
// tells its own; the greatest counts), or etcd's history changes, that is far more
// often a fault of etcd or of the network than of the instances. They stay in the directory as [Member.Unconfirmed] for
// max(60 s, 3 TTL), in rotation with their weight: traffic decides. A router takes
// one out at the first refused connection and confirms it at the first success.
// An instance that leaves on purpose says so first, by status [Down]; any other
// vanishing counts as a loss.
//
// # What its callers say
//
// With [WithVerdicts] a member that says it is up, and that the fleet's signals say is
// bad, is [Contradicted], with the figures. [WithEvents] tells in events what happens to
// instances. [Selector] chooses among them, and [LastRenewal] asks etcd whether a process
// still renews.
//
// # Ownership and failure
//
// A Registration owns a goroutine, and the registrations of a process with one TTL share
// a lease and the goroutine that renews it; a Directory owns a mirror and a goroutine. All
// end with Close. Without etcd a registration tries for ever, and
// a directory keeps what it knew and tells its age.
package discovery
