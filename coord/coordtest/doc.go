// SPDX-License-Identifier: Apache-2.0

// Package coordtest holds what every implementation of coord's interfaces must do,
// and what tests of anything that stands on etcd need.
//
// An implementation runs its suite in a test of its own: [KV], [Lock], [Election],
// [Discovery], [Signals], [Rules], [Overrides], [DB]. The real one and the one in memory both do.
//
// For tests there is an etcd in the test's own process that can be stopped, started
// again and emptied ([Etcd]), a client in a namespace of its own ([Client]), and a TCP
// proxy that cuts, stalls and delays what passes between the two.
package coordtest
