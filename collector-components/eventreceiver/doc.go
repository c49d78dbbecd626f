// SPDX-License-Identifier: Apache-2.0

// Package eventreceiver is the collector receiver "otelplat_events": the events of the
// platform that this process emits, such as otelplat.telemetry.govern, as log records of a
// pipeline, so that they go where the logs go.
//
//	receivers:
//	  otelplat_events: {}
//	service:
//	  pipelines:
//	    logs/platform: {receivers: [otelplat_events], processors: [memory_limiter, batch], exporters: [otlp_grpc]}
//
// The collector's components emit events through OpenTelemetry's global provider of
// loggers, because the collector gives its components none. A main whose process is the
// collector makes a [Provider] the global one:
//
//	otel.SetLoggerProvider(eventreceiver.NewProvider(fallback))
//
// A receiver that starts finds it there, and has each event from then on; what was emitted
// in the minute before, while the collector was starting or between two configurations, it
// has too. Without a receiver, events go to the fallback. In a process whose provider is
// another one, the receiver says so in its log and stays silent.
//
// A record has the collector's own resource, the emitter's scope and trace, and
// log.record.uid. Emitting never waits: a record that finds the queue full is counted in
// otelcol_receiver_events_missed and is gone, and so is one that the pipeline refuses.
//
// An event that comes of carrying events does not become one of them: what a processor
// emits with the context of a batch of this receiver goes to the fallback alone. The batch
// processor forgets that context. What acts on records and tells of it, as otelplat_policy
// does, belongs before it, or better into no such pipeline.
package eventreceiver
