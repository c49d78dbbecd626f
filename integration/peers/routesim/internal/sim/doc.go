// SPDX-License-Identifier: Apache-2.0

// Package sim is a deterministic discrete-event simulation of clients that choose among the
// replicas of one service: the workload of Prequal's testbed (NSDI'24, section 5), made
// small enough to run in seconds.
//
// Replicas have an allocation of four cores on machines that others use too: half of the
// machines are slower, and at any moment some are contended, so that a replica gets little
// more than its allocation, while the rest have cores to spare. A request is work, of one
// core at most. Under processor sharing all requests of a replica compute at once; under
// FIFO a fixed number of workers do. Messages take a constant time each way, and who asks
// a replica for its load is charged nothing else.
//
// The same seed gives the same arrivals, the same work and the same contention whatever the
// policy, so that policies are compared on the same luck.
//
// A [Policy] is a client's way to choose; the peers here are written after their papers and
// sources, ours is the product's own code.
package sim
