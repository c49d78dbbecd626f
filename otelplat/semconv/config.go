// SPDX-License-Identifier: Apache-2.0

package semconv

// Events and metrics of live configuration.
const (
	EventConfigApply  = "otelplat.config.apply"  // a new configuration is in force
	EventConfigRefuse = "otelplat.config.refuse" // a layer's values were refused; the last good configuration stays

	ConfigChanges = "otelplat.config.changes" // counter, {change}: with ConfigOutcome
)

// Attributes of configuration.
const (
	ConfigSource   = "otelplat.config.source"   // name of the layer that changed or was refused
	ConfigField    = "otelplat.config.field"    // path of the field that was refused
	ConfigRevision = "otelplat.config.revision" // revision of the document in force
	ConfigOutcome  = "otelplat.config.outcome"  // "applied" or "refused"
)
