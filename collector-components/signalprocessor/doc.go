// SPDX-License-Identifier: Apache-2.0

// Package signalprocessor is the collector's processor "otelplat_signal". It takes the
// measurements that routers report, aggregates them per instance, and publishes
// what the fleet knows to etcd, where routers read it. Everything else passes
// through unchanged; an etcd that is away costs the pipeline nothing.
//
// Who reports is the principal that the receiver's authenticator otelplat_policy_auth
// vouches for; measurements without one are dropped and counted. docs/signals.md
// has the rules, the format, and when it is written.
//
// All instances of the processor with one configuration share one aggregate, one
// goroutine and one lease, whose owner is the first that is started and whose end
// is that of the last.
package signalprocessor
