// SPDX-License-Identifier: Apache-2.0

package semconv

// Events and metrics of the collector's own configuration, when it comes from etcd.
// They have VersionedDocument and ConfigRevision.
const (
	EventCollectorConfigApply  = "otelplat.collector.config.apply"  // a document runs
	EventCollectorConfigRefuse = "otelplat.collector.config.refuse" // a document was refused; the last good one stays

	CollectorConfigChanges  = "otelplat.collector.config.changes"  // counter, {change}: with VersionedDocument, ConfigOutcome
	CollectorConfigRevision = "otelplat.collector.config.revision" // gauge, {revision}: with VersionedDocument
)
