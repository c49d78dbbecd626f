// SPDX-License-Identifier: Apache-2.0

// Package tracestate reads and writes what OpenTelemetry's consistent probability
// sampling keeps in the W3C tracestate of a span: the entry "ot" with the rejection
// threshold "th" and, when it is not in the trace id, the randomness "rv".
//
//	ot=th:c        one span in four is kept: each stands for four
//	ot=th:0        all are kept
//	ot=rv:6e6d1a75832a2f;th:8
//
// A threshold T is the number of the 2^56 values of the randomness R that are
// dropped: a span is kept when R >= T, so that its probability is (2^56-T)/2^56 and
// the count that it stands for is the inverse. All spans of a trace share R;
// samplers one behind the other that each keep R >= T of their own keep what the
// strictest of them keeps, and the threshold on a span says which that was. Sampling
// twice with one threshold is sampling once.
//
//	d := tracestate.Decide(span.TraceState().AsRaw(), span.TraceID(), ours)
//	if !d.Keep { … }
//	if d.Changed { span.TraceState().FromRaw(tracestate.WithThreshold(ts, ours)) }
//
// [Parse] and [Decide] allocate nothing. The format is that of
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/.
package tracestate
