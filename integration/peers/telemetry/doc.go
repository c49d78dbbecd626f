// SPDX-License-Identifier: Apache-2.0

// Package telemetry compares the collector's components with those of
// opentelemetry-collector-contrib: the same pdata, in one process, in turns. Like package
// peers it has benchmarks only. It stands apart because it links the collector.
package telemetry
