// SPDX-License-Identifier: Apache-2.0

// Package pipeline measures the collector as it runs: a process of the distribution's
// binary between a generator and a sink, which are processes of their own. What it costs to
// govern telemetry is the CPU time of the collector for each span, with all of the
// platform's components in the pipeline and with none.
package pipeline
