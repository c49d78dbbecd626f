// SPDX-License-Identifier: Apache-2.0

// Package size tells how many bytes of OTLP, in protobuf without compression, the
// parts of a batch are. What is counted for a resource is all of it: its attributes,
// its scopes, its items and their framing. So the figures of a batch's resources add
// up to the size of its encoded form, exactly, and each service is told what it costs
// and not only what its items do.
package size

import (
	"math/bits"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var (
	traces  ptrace.ProtoMarshaler
	metrics pmetric.ProtoMarshaler
	logs    plog.ProtoMarshaler
)

// ResourceSpans returns the bytes of a resource and its spans.
func ResourceSpans(rs ptrace.ResourceSpans) int { return framed(traces.ResourceSpansSize(rs)) }

// ResourceMetrics returns the bytes of a resource and its metrics.
func ResourceMetrics(rm pmetric.ResourceMetrics) int { return framed(metrics.ResourceMetricsSize(rm)) }

// ResourceLogs returns the bytes of a resource and its log records.
func ResourceLogs(rl plog.ResourceLogs) int { return framed(logs.ResourceLogsSize(rl)) }

// LogRecord returns the bytes of one log record.
func LogRecord(lr plog.LogRecord) int { return framed(logs.LogRecordSize(lr)) }

// framed adds a field's tag, one byte for all fields of ours, and the varint of its
// length.
func framed(n int) int { return 1 + (bits.Len64(uint64(n)|1)+6)/7 + n }
