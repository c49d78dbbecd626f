// SPDX-License-Identifier: Apache-2.0

// Package semconv holds the names of the events, metrics and attributes that
// otelplat itself emits, so that the code that writes a name and the code that
// reads it cannot disagree. It imports nothing: every package of the platform,
// the libraries that a service links and the components that run inside the
// collector, may import it at no cost.
//
// Names that OpenTelemetry's semantic conventions already define are not
// repeated here. Ours start with "otelplat." and follow the same grammar: dots
// separate namespaces, underscores separate words, units are UCUM.
//
// docs/telemetry.md lists all of them.
package semconv
