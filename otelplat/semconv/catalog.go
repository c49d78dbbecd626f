// SPDX-License-Identifier: Apache-2.0

package semconv

// Attributes of a resource that the catalogue speaks of. Who sends cannot set them.
const (
	CatalogKnown = "otelplat.catalog.known"  // whether the catalogue knows the service
	CatalogOwner = "otelplat.catalog.owner"  // who answers for the service
	CatalogTeam  = "otelplat.catalog.team"   // the team that runs it
	CatalogTier  = "otelplat.catalog.tier"   // how much depends on it
	CatalogLabel = "otelplat.catalog.label." // followed by the name of a label of the instance or the service
)

// CatalogPrefix is what the names of those attributes begin with.
const CatalogPrefix = "otelplat.catalog."

// Events of the catalogue.
const (
	EventCatalogUnknown = "otelplat.catalog.unknown" // telemetry came of a service that the catalogue does not know
)

// Attributes of those events.
const (
	CatalogService = "otelplat.catalog.service" // name of the service
)
