// SPDX-License-Identifier: Apache-2.0

// Package election chooses one process of a fleet as the leader, and tells everybody
// who it is.
//
//	elector, err := election.Open(client, election.Candidate{ID: "orders-1", Address: "10.0.0.7:8080"})
//	...
//	defer elector.Close()
//	err = election.Run(ctx, elector, "billing", func(ctx context.Context) error {
//		return runBilling(ctx) // the context ends when the leadership does
//	})
//
// An election is a lock whose holder is known by name: first come first served, with a
// lease, and lost by the leader's own clock a second and more before etcd can give it to
// another. What package lock says of two holders, of pauses and of tokens holds here:
// what must never be done by two checks the [Leadership]'s Token.
//
// # When etcd is away
//
// A campaign waits for as long as its context allows. A leader stays one until its
// lease can no longer be proved to live (10 s, less the margin). Readers keep the last
// leader that they knew of, and Age tells how old that is.
//
// An [Elector] is etcd's ([Open]) or a process's own ([NewMemory]), both under the suite
// coordtest.Election. It owns its campaigns, and a mirror for each election that is
// observed, until Close.
package election
