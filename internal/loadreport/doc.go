// SPDX-License-Identifier: Apache-2.0

// Package loadreport is how a server says how loaded it is, and how a client hears it.
//
// A [Report] travels in the formats of ORCA (Open Request Cost Aggregation), so that
// proxies and gRPC's own balancers understand it too:
//
//   - on HTTP in the response header [ResponseHeader], for requests that carry
//     "endpoint-load-metrics-format: TEXT", and in the body of GET [Path];
//   - on gRPC as xds.data.orca.v3.OrcaLoadReport: in the trailer
//     endpoint-load-metrics-bin of every call, in the answer of the unary method
//     [Method], and in the stream of xds.service.orca.v3.OpenRcaService.
//
// What ORCA has no field of its own for is in named_metrics: in_flight, at_arrival,
// latency_seconds, demand_seconds and parallelism.
//
// [Server] is the estimator behind the reports: package otelplat feeds it with the
// requests of a service's servers. It has no goroutine; who reads a report pays for it.
// [AskHTTP] and [AskGRPC] are the client's side: one question, no retry.
//
// A report is a hint. It is never authenticated beyond the connection that brought it, so
// the readers bound every value, and refuse a report that is out of bounds as a whole.
package loadreport
