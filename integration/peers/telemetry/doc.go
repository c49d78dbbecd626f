// SPDX-License-Identifier: Apache-2.0

// Package telemetry compares the collector's components with those of
// opentelemetry-collector-contrib: the same pdata, in one process, in turns, for speed and,
// where both can be told the same, for what comes out. It stands apart from package peers
// because it links the collector.
package telemetry
