// SPDX-License-Identifier: Apache-2.0

// Package routing compares balancers over real sockets: ten servers, of which one is ten times
// slower than the others and one fails three of ten requests, and ten clients, a process
// each. gRPC's round_robin, weighted_round_robin and outlier_detection and the platform's
// router take turns on the same servers, and in the middle of each turn a server that was well
// begins to fail.
//
// A server is a machine of a few slots: a request takes a slot for some milliseconds of waiting,
// and the time that its slots are taken is the machine's CPU time in the load reports that it
// sends. So two real CPUs carry ten machines, and weighted_round_robin, which goes by
// utilization, sees the slow one for what it is. A failing server fails at once, without work:
// the hardest case, because it looks fast.
//
// The test is short and holds our router to no more than the peers' figures;
// `make bench-peers` runs longer turns.
package routing
