// SPDX-License-Identifier: Apache-2.0

// Package signalprocessor is the collector's processor "otelplat_signal". It takes out
// of telemetry what says how the instances of the fleet do, aggregates it per instance,
// and publishes it to etcd, where routers read it. Telemetry passes through; an etcd that
// is away costs the pipeline nothing.
//
// It reads what routers report, and keeps that for itself; the standard client metrics
// and the client spans of callers that have no router; and what servers report of
// themselves, for their service demand and effective parallelism. Who reports is the
// principal that the receiver's authenticator otelplat_policy_auth vouches for;
// measurements without one are not taken, and counted. docs/signals.md has the rules,
// the format, and when it is written.
//
// # How it is built
//
// A batch is read without a lock into attempts (router.go, standard.go, spans.go) and
// reports (server.go), which the engine then takes under its own. internal/endpoint knows
// who serves at an address, internal/series makes deltas of cumulative series,
// internal/capacity estimates what a server can do, internal/aggregate is what is known
// of all instances, and internal/publish writes it.
//
// All instances of the processor with one id and one configuration, whatever their
// pipeline carries, share one engine: one aggregate, one directory of discovery, one
// lease. It ends with the last of them.
package signalprocessor
