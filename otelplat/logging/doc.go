// SPDX-License-Identifier: Apache-2.0

// Package logging makes the slog handler of a service: every record goes to the
// console and to OpenTelemetry's logger provider, each with the ids of the trace
// that it belongs to.
//
// On a terminal the console shows text, elsewhere JSON lines. Lines are bounded:
// a message of more than 16 KiB and a text value of more than 4 KiB are cut, and
// say so. The handler has no goroutine and no state beside its level.
package logging
