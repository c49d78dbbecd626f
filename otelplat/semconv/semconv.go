// SPDX-License-Identifier: Apache-2.0

package semconv

// Events of the governance of semantic conventions.
const (
	EventSemconvFinding  = "otelplat.semconv.finding"  // telemetry of a service departs from the registry, first or again
	EventSemconvCoverage = "otelplat.semconv.coverage" // how much was checked, and how much of the registry is in use
)

// Attributes of those events, beside weaver's, whose names are below.
const (
	SemconvViolation  = "otelplat.semconv.violation"  // ids of findings, on an item that is annotated
	SemconvCount      = "otelplat.semconv.count"      // findings since it was last told
	SemconvTotal      = "otelplat.semconv.total"      // findings since it was first found
	SemconvFirst      = "otelplat.semconv.first"      // when it was first found, RFC 3339
	SemconvLast       = "otelplat.semconv.last"       // when it was last found, RFC 3339
	SemconvRegistry   = "otelplat.semconv.registry"   // version of the registry, as it says itself
	SemconvItems      = "otelplat.semconv.items"      // that were checked
	SemconvClean      = "otelplat.semconv.clean"      // of them, without a finding
	SemconvViolations = "otelplat.semconv.violations" // of them, whose highest finding is a violation
	SemconvImprove    = "otelplat.semconv.improvements"
	SemconvInform     = "otelplat.semconv.information"
	SemconvHeld       = "otelplat.semconv.findings"            // findings in the table
	SemconvAttributes = "otelplat.semconv.attributes.coverage" // share of the registry's attributes that was seen
	SemconvMetrics    = "otelplat.semconv.metrics.coverage"
	SemconvEvents     = "otelplat.semconv.events.coverage"
)

// Names that weaver's live-check gives to the parts of a finding, so that who reads
// its findings can read ours.
const (
	WeaverID         = "weaver.finding.id"
	WeaverLevel      = "weaver.finding.level"
	WeaverSignalType = "weaver.finding.signal.type"
	WeaverSignalName = "weaver.finding.signal.name"
	WeaverSampleType = "weaver.finding.sample.type"
	WeaverAttribute  = "weaver.finding.context.attribute_key"
	WeaverNote       = "weaver.finding.context.deprecation_note"
	WeaverService    = "weaver.finding.resource.attribute.service.name"
)

// Metrics of the collector's processor of conventions, and what their attributes
// are called beside those of all its processors.
const (
	CollectorSemconvFindings    = "otelcol_processor_semconv_findings"              // counter, {finding}; attributes service, level, id, otelcol.signal
	CollectorSemconvItems       = "otelcol_processor_semconv_items"                 // counter, {item}; attributes level, otelcol.signal
	CollectorSemconvDropped     = "otelcol_processor_semconv_dropped_items"         // counter, {item}; attributes id, otelcol.signal
	CollectorSemconvEnforced    = "otelcol_processor_semconv_enforcements"          // counter, {action}; attributes action, id, outcome, otelcol.signal
	CollectorSemconvOverflow    = "otelcol_processor_semconv_overflow_findings"     // counter, {finding}; attributes otelcol.signal
	CollectorSemconvSuppressed  = "otelcol_processor_semconv_suppressed_events"     // counter, {event}
	CollectorSemconvEntries     = "otelcol_processor_semconv_registry_entries"      // gauge, {entry}; attributes kind
	CollectorSemconvSeenEntries = "otelcol_processor_semconv_registry_seen_entries" // gauge, {entry}; attributes kind

	CollectorSemconvID      = "id"
	CollectorSemconvLevel   = "level"
	CollectorSemconvService = "service"
	CollectorSemconvOutcome = "outcome"
	CollectorSemconvKind    = "kind"
)
