// SPDX-License-Identifier: Apache-2.0

// Package eventexporter is the collector exporter "otelplat_events": it stores published
// events (package otelplat/event) in NATS JetStream, and answers when they are
// stored.
//
//	receivers:
//	  otlp/events: # a receiver of their own, so that nothing else waits for NATS
//	    protocols:
//	      grpc: {endpoint: 127.0.0.1:4319, auth: {authenticator: otelplat_policy_auth}}
//	processors:
//	  otelplat_policy/events: {mode: claims, reject: true, ...}
//	exporters:
//	  otelplat_events:
//	    url: nats://127.0.0.1:4222
//	    namespace: default
//	service:
//	  pipelines:
//	    logs/events: {receivers: [otlp/events], processors: [otelplat_policy/events], exporters: [otelplat_events]}
//
// No batch, queue or retry belongs into that pipeline: the publisher waits for the
// answer, and tries again with the same ids, by which JetStream knows the events
// again. When JetStream does not acknowledge all events of a request, the request
// fails as a whole with Unavailable. A record that is no event fails its request
// with InvalidArgument, before anything of it is stored.
//
// The service in an event's subject is the resource's service.name, which the
// claims check has verified. Whether NATS can be reached makes no difference to the
// start of the collector. What became of events is counted in
// otelcol_exporter_events_published.
//
// # Best effort
//
// With best_effort it copies events that nobody waits for, such as the platform's own,
// from a bounded queue: it takes every record with an event name at once, never fails its
// pipeline, tries for max_wait, and counts what was not acknowledged. A record that is no
// published event becomes one whose data is the record's attributes in JSON; one with more than
// max_data bytes of data is left out and counted. With types it
// takes those alone: of a pipeline that carries more than the platform's events. Such copies
// belong into a namespace of their own, in whose stream the oldest make room.
package eventexporter
