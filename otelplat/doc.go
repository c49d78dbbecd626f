// SPDX-License-Identifier: Apache-2.0

// Package otelplat gives a service its telemetry with one call:
//
//	t, err := otelplat.Start(ctx)
//	if err != nil { ... }
//	defer t.Shutdown(ctx)
//
// After it, OpenTelemetry's global tracer, meter and logger providers export over
// OTLP; log/slog writes to the console and to OTLP, each line with the ids of its
// trace; W3C trace context and baggage cross process boundaries. HTTP and gRPC
// servers and clients are instrumented with [Telemetry.HTTPHandler],
// [Telemetry.HTTPTransport], [Telemetry.GRPCServerOptions] and
// [Telemetry.GRPCDialOption].
//
// # Configuration
//
// The standard OTEL_* environment variables, those included that the Go SDK
// leaves out: OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER,
// OTEL_LOGS_EXPORTER (otlp, console, none), OTEL_PROPAGATORS, OTEL_LOG_LEVEL
// (debug, info, warn, error, none). Credentials come from OTEL_EXPORTER_OTLP_HEADERS, or from a
// bearer token in the file that OTELPLAT_TOKEN_FILE names, which is read again
// whenever it changes. An option goes before a variable.
//
// # Signals
//
// Beside the service's own metrics, a meter provider of its own carries what the
// router measures, once a second, with delta temporality and exponential
// histograms: [Telemetry.SignalMeter]. Once a server is instrumented, it carries what this
// process's servers completed, the time they took for it and the process's CPU time too,
// of which the collector makes what a request costs here and how many are served at once.
// The fleet's routing follows it, so it
// follows the OTLP endpoint, protocol, headers and OTEL_SDK_DISABLED only, and
// not the variables that tune a service's own metrics.
//
// # Load reports
//
// An instrumented server also says how loaded it is now, in ORCA's formats: requests in
// flight and what requests that met as many took, CPU utilization, requests and errors a
// second, service demand and parallelism. The router asks for it; so do Envoy and gRPC's own
// weighted_round_robin.
//
//   - HTTP: GET /.well-known/otelplat/load, and the response header endpoint-load-metrics
//     for a request with "endpoint-load-metrics-format: TEXT".
//   - gRPC: the trailer endpoint-load-metrics-bin of every call, and with
//     [Telemetry.RegisterLoadReports] the method /otelplat.load.v1.Load/Report and the stream
//     of xds.service.orca.v3.OpenRcaService.
//
// A probe is answered first: before tracing, before whatever the handler or an interceptor
// decides or waits for, and it counts as no request. So it is answered to whoever reaches the
// port: [WithoutLoadReports] is for servers that strangers reach. docs/signals.md has the
// fields. All servers of one Telemetry share one count, as they share one process.
//
// # Events
//
// With OTELPLAT_EVENTS_ENDPOINT, event.Publish publishes what happened and returns
// when it is stored: see package event. The endpoint is the collector's OTLP gRPC
// port for events; headers, certificates and the token are those of OTLP logs.
//
// # When the collector is away
//
// Nothing waits for it but event.Publish. Start does not connect. Queues are bounded (2,048 spans
// and log records each; metrics are aggregates), what does not fit is dropped, and
// the SDK's errors are reported at most once a minute. Shutdown flushes for as
// long as its context allows and then returns.
//
// A [Telemetry] owns the providers' goroutines until Shutdown. Its methods are
// safe for concurrent use.
package otelplat
