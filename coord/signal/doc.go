// SPDX-License-Identifier: Apache-2.0

// Package signal is the fleet's knowledge of its own instances: the form in
// which collectors publish it, how the shares of several collectors merge, and
// the verdict that follows.
//
// A collector sees, for each instance of a service, what the callers of that
// instance measured. It publishes this as a [Share] under
// signal/<service>/<shard>/<collector> (see [Key]). A reader merges the shares
// of all collectors with [Merge]: counts and histograms add, so collectors never
// have to talk to each other. On the merged evidence every reader computes the
// same [Verdict] with [Judge].
//
// # Whom it believes
//
// A caller is an authenticated principal; all its processes are one voice. An
// instance is bad when at least min(3, callers), and at least half, of the
// callers that sent to it within the evidence window saw it bad. One caller
// alone is believed, because there is nobody else to ask; one of ten, however
// loud, moves nothing.
//
// # Services and routes
//
// A [Scope] is a service as a whole, or a route of it, known by the same rules. The
// merged fleet has a [Circuit] for each ([Fleet.Circuit]): open while a quorum sees it bad,
// half open with a share of the requests that grows, closed otherwise.
//
// # What it does not do
//
// It does not eject. A verdict is advice; the router weighs it with what it saw
// itself and with the share of instances that it may take out of rotation.
// Latency never makes an instance bad here.
//
// # Ownership and failure
//
// [Merge], [Judge], [Encode], [Decode] and all of [Thresholds] are pure and safe for concurrent use.
// [Open] returns a [Source], which owns one mirror for each service that was
// asked for, until Close. While etcd is away the last fleet
// stays for [MaxAge]; after that [Follower.Fleet] returns nil and a router goes
// on with what it knows itself.
package signal
