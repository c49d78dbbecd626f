// SPDX-License-Identifier: Apache-2.0

// Package up runs the whole platform on one machine: etcd, NATS, the collector, and with
// the demo the shop with a steady load, each a child process of this binary on
// loopback.
//
// Run owns the children (package supervise), the tokens' renewal, and what it
// prints. It starts them in the order in which they need each other, and stops
// them in the reverse. All keys are made on the first start and kept in the data
// directory (package datadir).
package up
