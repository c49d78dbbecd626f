// SPDX-License-Identifier: Apache-2.0

// Package local is what a fleet has and one program on one machine has not: an etcd
// and a collector, here in the program's own process, on loopback. The examples begin
// with it so that they run with nothing else installed; a service of yours has none of
// it, because `otelplat up`, or your operators, run the real ones.
package local
