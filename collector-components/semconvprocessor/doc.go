// SPDX-License-Identifier: Apache-2.0

// Package semconvprocessor is the collector processor "otelplat_semconv": it checks
// telemetry against a registry of semantic conventions and reports, by service,
// where it departs from it, in the words of weaver's live-check. It works on
// traces, metrics and logs, all the time and on all of the traffic, where
// live-check is for tests.
//
//	processors:
//	  otelplat_semconv:
//	    registry: {file: /etc/otelplat/registry.yaml} # or name and etcd; without it OpenTelemetry's
//	    enforce: {deprecated: rename}                 # without it nothing is changed
//
// What is in the registry, what is found, and what can be enforced is in README.md,
// which is also the page for those who govern telemetry.
//
// The instances of one configuration share the registry, the table of findings and
// one goroutine that tells them; the last one that is shut down tells what is left.
// A new registry is in force for the next batch, a bad one changes nothing. It
// never fails a pipeline.
package semconvprocessor
