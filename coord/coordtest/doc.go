// SPDX-License-Identifier: Apache-2.0

// Package coordtest is what tests of anything that stands on etcd need: an etcd
// in the test's own process that can be stopped, started again and emptied, a
// client in a namespace of its own, and a TCP proxy that cuts, stalls and delays
// what passes between the two.
package coordtest
